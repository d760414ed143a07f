/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the host index: which API, stage and path a host and a path mean. */
#include "model_bed.h"

static struct bed bed;
static struct site *site;

static const char apis[] = "api: rest\ntype: REST\nupstream: orders\nstages: {prod: {}, test: {}}\n"
                           "hosts:\n"
                           "  - {name: api.example.org, base_path: /v1, stage: prod}\n"
                           "  - {name: api.example.org, base_path: /v1/test, stage: test}\n"
                           "  - {name: open.example.org}\n";
static const char http[] = "api: http\nupstream: toys\nstages: {prod: {}, $default: {}}\n"
                           "hosts:\n"
                           "  - {name: \"*.example.org\"}\n"
                           "  - {name: \"*.deep.example.org\", base_path: /d}\n"
                           "  - {name: api.example.org, base_path: /toys}\n"
                           "  - {name: \"[::1]\"}\n";
static const char closed[] = "api: closed\nupstream: toys\ndisableExecuteApiEndpoint: true\nhosts: "
                             "[{name: \"*\", base_path: /any}]\n";
static const char named[] = "api: named\nupstream: toys\nstages: {only: {}}\n";

/* "API STAGE BASE PATH", "-" for none. */
static const char *find(const char *host, const char *path)
{
    static char out[256];
    struct site_match m;

    if (!site_find(site, str_z(host), str_z(path), &m))
        return "-";
    assert_ptr_equal(m.api, bed.gw->apis[m.api_index]);
    snprintf(out, sizeof(out), "%.*s %.*s '%.*s' '%.*s'", STR_ARG(m.api->id),
             m.stage ? (int)m.stage->name.n : 1, m.stage ? m.stage->name.p : "?",
             STR_ARG(m.base_path), STR_ARG(m.path));
    return out;
}

static void check(const char *host, const char *path, const char *want)
{
    if (strcmp(find(host, path), want) != 0)
        fail_msg("%s %s: got \"%s\", want \"%s\"", host, path, find(host, path), want);
}

static void mapped_hosts(void **state)
{
    (void)state;
    check("api.example.org", "/v1/pets", "rest prod '/v1' '/pets'");
    check("API.Example.ORG.:8080", "/v1/pets", "rest prod '/v1' '/pets'");
    check("api.example.org", "/v1", "rest prod '/v1' ''");
    check("api.example.org", "//v1/pets", "rest prod '/v1' '/pets'");
    check("api.example.org", "/v1/test/x", "rest test '/v1/test' '/x'"); /* longest base path */
    check("api.example.org", "/v1/testing", "rest prod '/v1' '/testing'");
    check("api.example.org", "/v1x", "-"); /* whole segments only */
    check("api.example.org", "/toys/1", "http $default '/toys' '/1'");
    check("api.example.org", "/other", "-"); /* the host is known: "*" does not step in */
}

static void stage_in_the_path(void **state)
{
    (void)state;
    check("open.example.org", "/prod/pets", "rest prod '' '/pets'");
    check("open.example.org", "//prod//pets", "rest prod '' '/pets'");
    check("open.example.org", "/prod", "rest prod '' ''");
    check("open.example.org", "/prod/", "rest prod '' '/'");
    check("open.example.org", "/nope/pets", "rest ? '' '/pets'");
    check("open.example.org", "/", "rest ? '' ''");
    check("x.example.org", "/prod/pets", "http prod '' '/pets'");
    check("x.example.org", "/pets/1", "http $default '' '/pets/1'");
    check("x.example.org", "//pets/1", "http $default '' '//pets/1'");
    check("x.example.org", "/", "http $default '' '/'");
    check("x.example.org", "/$default/a", "http $default '' '/$default/a'");
}

static void other_hosts(void **state)
{
    (void)state;
    check("a.b.example.org", "/x", "http $default '' '/x'");
    check("a.deep.example.org", "/d/x", "http $default '/d' '/x'"); /* the nearer suffix */
    check("deep.example.org", "/d/x", "http $default '' '/d/x'");
    check("example.org", "/x", "-");
    check("example.org", "/any/x", "closed $default '/any' '/x'"); /* "*" */
    check("", "/any/x", "closed $default '/any' '/x'");
    check("[::1]:80", "/x", "http $default '' '/x'");
    check("[::1", "/any", "closed $default '/any' ''");
    check("10.0.0.1:80:90", "/any", "closed $default '/any' ''");
}

static void execute_api_hosts(void **state)
{
    (void)state;
    check("rest.execute-api.local.example", "/prod/x", "rest prod '' '/x'");
    check("REST.Execute-API.eu-west-1.amazonaws.com:443", "/test/x", "rest test '' '/x'");
    check("http.execute-api.x", "/x", "http $default '' '/x'");
    check("named.execute-api.x", "/only/y", "named only '' '/y'");
    check("named.execute-api.x", "/y", "named ? '' '/y'"); /* HTTP, no $default */
    check("closed.execute-api.x", "/x", "-");
    check("nobody.execute-api.x", "/x", "-");
    check("rest.execute-api.", "/any/x", "closed $default '/any' '/x'");
    check("rest.execute-api", "/x", "-");
}

static void long_host(void **state)
{
    static char host[5000];

    (void)state;
    memset(host, 'a', sizeof(host) - 1);
    check(host, "/x", "-");
    check(host, "/any", "closed $default '/any' ''");
}

static int set_up(void **state)
{
    (void)state;
    bed_init(&bed);
    bed_put(&bed, "main.yaml", BED_LISTEN BED_UPSTREAMS "apis: {include: apis/*.yaml}\n");
    bed_put(&bed, "apis/a.yaml", apis);
    bed_put(&bed, "apis/b.yaml", http);
    bed_put(&bed, "apis/c.yaml", closed);
    bed_put(&bed, "apis/d.yaml", named);
    bed_load(&bed);
    assert_int_equal(bed.gw->api_count, 4);
    site = site_build(bed.gw->apis, bed.gw->api_count, bed.gw->tree, &bed.diag);
    return site ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    site_free(site);
    bed_fini(&bed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapped_hosts), cmocka_unit_test(stage_in_the_path),
        cmocka_unit_test(other_hosts),  cmocka_unit_test(execute_api_hosts),
        cmocka_unit_test(long_host),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
