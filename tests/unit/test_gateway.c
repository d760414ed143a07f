/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the main conf as data: every value and default, overrides, aws-strict, order, hashes;
 * the confs that packages ship. */
#include "model_bed.h"

static void defaults(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", BED_LISTEN);
    bed_load(&b);
    assert_int_equal(b.diag.count, 0);
    assert_int_equal(b.gw->listener_count, 1);
    assert_str(b.gw->listeners[0].text, "127.0.0.1:8080");
    assert_str(b.gw->listeners[0].name, "127.0.0.1:8080");
    assert_true(b.gw->listeners[0].reuseport);
    assert_false(b.gw->has_status);
    assert_int_equal(b.gw->threads, 0);
    assert_int_equal(b.gw->limits.header_block, 32 << 10);
    assert_int_equal(b.gw->limits.url, 16 << 10);
    assert_int_equal(b.gw->limits.body, 10 << 20);
    assert_int_equal(b.gw->limits.headers, 200);
    assert_int_equal(b.gw->limits.connections, 50000);
    assert_int_equal(b.gw->timeouts.header, 10000);
    assert_int_equal(b.gw->timeouts.idle, 75000);
    assert_int_equal(b.gw->timeouts.body, 30000);
    assert_int_equal(b.gw->timeouts.write, 30000);
    assert_int_equal(b.gw->timeouts.integration, 29000);
    assert_int_equal(b.gw->timeouts.drain, 30000);
    assert_str(b.gw->log_level, "info");
    assert_str(b.gw->log_format, "text");
    assert_str(b.gw->log_to, "stderr");
    assert_str(b.gw->aws_region, "local");
    assert_str(b.gw->aws_account, "000000000000");
    assert_str(b.gw->resolver_servers, "");
    assert_int_equal(b.gw->resolver_timeout, 2000);
    assert_int_equal(b.gw->resolver_tries, 3);
    assert_int_equal(b.gw->resolver_ttl_max, 300000);
    assert_int_equal(b.gw->api_count + b.gw->upstream_count + b.gw->plugin_count, 0);
    bed_fini(&b);
}

static void values(void **state)
{
    struct bed b;
    struct addr_ip ip;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml",
            "version: 1\n"
            "listen:\n"
            "  - {address: \"127.0.0.1:8080\", name: front, reuseport: yes, limits: {url: 1KB, "
            "body: 0}, timeouts: {idle: 5s}}\n"
            "  - {address: \"[::1]:8080\"}\n"
            "  - {address: \"unix:/tmp/x.sock\"}\n"
            "status: {address: \"127.0.0.1:9081\"}\n"
            "threads: 3\n"
            "limits: {url: 8KB, headers: 50}\n"
            "trusted_proxies: 10.0.0.0/8\n"
            "resolver: {servers: [\"127.0.0.1:5353\", 9.9.9.9], timeout: 1s, tries: 2, ttl_min: "
            "2s, ttl_max: 1m, ttl_negative: 0}\n"
            "log: {level: debug, format: json, to: /tmp/x.log}\n"
            "aws: {region: eu-west-1, account_id: 123456789012}\n");
    bed_load(&b);
    assert_int_equal(b.gw->listener_count, 3);
    assert_str(b.gw->listeners[0].name, "front");
    assert_true(b.gw->listeners[0].reuseport);
    assert_int_equal(b.gw->listeners[0].limits.url, 1024);
    assert_int_equal(b.gw->listeners[0].limits.body, 0);
    assert_int_equal(b.gw->listeners[0].limits.headers, 50);
    assert_int_equal(b.gw->listeners[0].timeouts.idle, 5000);
    assert_int_equal(b.gw->listeners[0].timeouts.header, 10000);
    assert_int_equal(b.gw->listeners[1].limits.url, 8192);
    assert_str(b.gw->listeners[1].text, "[::1]:8080");
    assert_true(b.gw->has_status);
    assert_str(b.gw->status_text, "127.0.0.1:9081");
    assert_int_equal(b.gw->threads, 3);
    assert_int_equal(b.gw->trusted_count, 1);
    assert_int_equal(addr_ip_parse(&ip, STR("10.1.2.3")), 0);
    assert_true(cidr_match(b.gw->trusted, 1, &ip));
    assert_str(b.gw->resolver_servers, "127.0.0.1:5353,9.9.9.9");
    assert_int_equal(b.gw->resolver_ttl_min, 2000);
    assert_int_equal(b.gw->resolver_ttl_negative, 0);
    assert_str(b.gw->log_to, "/tmp/x.log");
    assert_str(b.gw->aws_account, "123456789012");
    bed_fini(&b);
}

static void strict_quotas(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml",
            "listen: [{address: \"127.0.0.1:8080\", limits: {url: 2KB}}]\nlimits_mode: "
            "aws-strict\nlimits: {body: 1MB}\n");
    bed_load(&b);
    assert_true(b.gw->aws_strict);
    assert_int_equal(b.gw->limits.header_block, 10240);
    assert_int_equal(b.gw->limits.url, 10240);
    assert_int_equal(b.gw->limits.body, 1 << 20);
    assert_int_equal(b.gw->timeouts.integration, 29000);
    assert_int_equal(b.gw->listeners[0].limits.url, 2048);
    assert_int_equal(b.gw->listeners[0].limits.header_block, 10240);
    bed_put(
        &b, "main.yaml",
        "listen: [{address: \"127.0.0.1:8080\", limits: {body: 0}}]\nlimits_mode: aws-strict\n");
    assert_false(bed_try(&b));
    bed_said(&b, ":1:53: error: listen[0].limits.body: '0' is above AWS's quota");
    bed_fini(&b);
}

static void upstreams(void **state)
{
    const struct gw_upstream *u;
    struct bed b;
    uint64_t hash;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml",
            BED_LISTEN
            "upstreams:\n"
            "  - id: orders\n"
            "    targets: [\"10.0.0.5:9000\", {address: \"orders.internal:80\", weight: 3}, "
            "\"[::1]:81\"]\n"
            "    timeouts: {connect: 1s, first_byte: 5s, total: 1m, idle: 2s, write: 3s}\n"
            "    pool: {max: 10, idle: 5, idle_timeout: 7s}\n"
            "    host: orders.example.org\n"
            "  - {id: bare, targets: [\"127.0.0.1:1\"]}\n");
    bed_load(&b);
    assert_int_equal(b.gw->upstream_count, 2);
    u = gateway_upstream(b.gw, STR("orders"));
    assert_non_null(u);
    assert_int_equal(u->target_count, 3);
    assert_str(u->targets[0].host, "10.0.0.5");
    assert_true(u->targets[0].is_ip);
    assert_int_equal(u->targets[0].weight, 1);
    assert_str(u->targets[1].host, "orders.internal");
    assert_int_equal(u->targets[1].port, 80);
    assert_int_equal(u->targets[1].weight, 3);
    assert_false(u->targets[1].is_ip);
    assert_str(u->targets[2].host, "::1");
    assert_int_equal(u->t_connect, 1000);
    assert_int_equal(u->t_first_byte, 5000);
    assert_int_equal(u->t_total, 60000);
    assert_int_equal(u->t_idle, 2000);
    assert_int_equal(u->t_write, 3000);
    assert_int_equal(u->pool_max, 10);
    assert_int_equal(u->pool_idle, 5);
    assert_int_equal(u->pool_idle_ms, 7000);
    assert_str(u->authority, "orders.example.org");
    assert_false(u->tls);
    hash = gateway_upstream(b.gw, STR("bare"))->hash;
    assert_true(hash != u->hash);
    assert_int_equal(gateway_upstream(b.gw, STR("bare"))->t_connect, 0);
    assert_str(gateway_upstream(b.gw, STR("bare"))->authority, "");
    assert_null(gateway_upstream(b.gw, STR("none")));
    bed_put(&b, "main.yaml",
            BED_LISTEN "upstreams:\n\n  - id: bare\n    targets:\n      - \"127.0.0.1:1\"\n");
    bed_load(&b);
    assert_true(b.gw->upstreams[0].hash == hash); /* the same content in another shape */
    bed_fini(&b);
}

static void plugins(void **state)
{
    const struct gw_plugin *p;
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml",
            BED_LISTEN "plugin_dirs: [more, /opt/plugins]\n"
                       "plugins:\n"
                       "  - waf: {acl: x}\n"
                       "  - jwt\n"
                       "  - {use: headers, id: edge, with: {a: b}, mode: shadow, timeout: 200ms, "
                       "on_error: allow, on_crash: skip, path: ./h.so}\n"
                       "  - {use: off, enabled: false}\n"
                       "  - empty:\n"
                       "order:\n"
                       "  REST: [edge, jwt, waf, empty]\n");
    bed_load(&b);
    assert_int_equal(b.gw->plugin_count, 5);
    p = gateway_plugin(b.gw, STR("waf"));
    assert_str(p->use, "waf");
    assert_str(node_getz(p->with, "acl")->text, "x");
    assert_true(p->enabled);
    p = gateway_plugin(b.gw, STR("edge"));
    assert_str(p->use, "headers");
    assert_true(p->shadow);
    assert_int_equal(p->timeout, 200);
    assert_int_equal(p->on_error, 1);
    assert_int_equal(p->on_crash, 1);
    assert_has(p->path, "/./h.so");
    assert_false(gateway_plugin(b.gw, STR("off"))->enabled);
    assert_null(gateway_plugin(b.gw, STR("empty"))->with);
    assert_null(gateway_plugin(b.gw, STR("headers")));
    assert_int_equal(b.gw->order_count[API_REST], 4);
    assert_int_equal(b.gw->order[API_REST][0], 2);
    assert_int_equal(b.gw->order[API_REST][3], 4);
    assert_int_equal(b.gw->order_node[API_REST][0]->line, 10);
    assert_int_equal(b.gw->order_count[API_HTTP], 5); /* no list: as in plugins */
    assert_int_equal(b.gw->order[API_HTTP][1], 1);
    assert_true(b.gw->plugin_dir_count >= 2);
    assert_has(b.gw->plugin_dirs[0], "/more");
    assert_str(b.gw->plugin_dirs[1], "/opt/plugins");
    bed_fini(&b);
}

static void hashes(void **state)
{
    struct bed b;
    uint64_t all, one;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", BED_LISTEN BED_UPSTREAMS "apis: {include: [a.yaml, b.yaml]}\n");
    bed_put(&b, "a.yaml", "api: a\nupstream: orders\n");
    bed_put(&b, "b.yaml", "api: b\nupstream: toys\n");
    bed_load(&b);
    all = b.gw->hash, one = b.gw->apis[0]->hash;
    bed_load(&b);
    assert_true(b.gw->hash == all && b.gw->apis[0]->hash == one);
    bed_put(&b, "b.yaml", "api: b\nupstream: orders\n");
    bed_load(&b);
    assert_true(b.gw->hash != all);
    assert_true(b.gw->apis[0]->hash == one); /* the other API is what it was */
    bed_put(&b, "a.yaml", "# said otherwise\napi:   a\nupstream:   orders\n");
    bed_load(&b);
    assert_true(b.gw->apis[0]->hash == one);
    bed_fini(&b);
}

/* An API outlives the gateway that read it. */
static void api_lives_on(void **state)
{
    struct bed b;
    struct api *api;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml",
            BED_LISTEN BED_UPSTREAMS "vpc_links: {l: toys}\napis: {include: a.yaml}\n");
    bed_put(&b, "a.yaml",
            "api: a\nstages: {prod: {}}\nopenapi:\n  openapi: 3.1.0\n  paths:\n    /x:\n      "
            "get:\n        x-amazon-apigateway-integration:\n"
            "          {type: http_proxy, httpMethod: GET, uri: \"http://toys/x\", connectionType: "
            "VPC_LINK, connectionId: l}\n");
    bed_load(&b);
    api = api_ref(b.gw->apis[0]);
    gateway_free(b.gw);
    b.gw = NULL;
    assert_str(api->deployments[0]->methods[0].integration.upstream, "toys");
    assert_str(api->stages[0].name, "prod");
    assert_has(str_z(node_file(api->tree, api->node)), "/a.yaml");
    api_unref(api);
    bed_fini(&b);
}

static void missing_file(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    assert_false(bed_try(&b));
    bed_said(&b, "main.yaml");
    assert_int_equal(b.diag.errors, 1);
    bed_fini(&b);
}

/* How many of the messages are about the example key, which is no secret and as readable as git makes it. */
static unsigned about_the_key(struct diag *d)
{
    static const char said[] = "everybody can read the key";
    unsigned n = 0;

    for (str t = diag_text(d); t.p; n++) {
        size_t at = str_find(t, STR(said));
        if (at == t.n)
            break;
        t = str_drop(t, at + sizeof(said) - 1);
    }
    return n;
}

/* What packages install, and the conf that shows every option, load without a word of the conf. */
static void shipped(void **state)
{
    static const char *const names[] = {"conf/sallyport.yaml", "conf/sallyport.full.yaml",
                                        "conf/quickstart.yaml"};
    const char *top = getenv("top_srcdir");

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        char path[512];
        struct diag d;
        struct gateway *gw;

        diag_init(&d);
        snprintf(path, sizeof(path), "%s/%s", top ? top : ".", names[i]);
        gw = gateway_load(path, &d);
        if (!gw || d.count != about_the_key(&d))
            fail_msg("%.*s", STR_ARG(diag_text(&d)));
        gateway_free(gw);
        diag_fini(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),      cmocka_unit_test(values),
        cmocka_unit_test(strict_quotas), cmocka_unit_test(upstreams),
        cmocka_unit_test(plugins),       cmocka_unit_test(hashes),
        cmocka_unit_test(api_lives_on),  cmocka_unit_test(missing_file),
        cmocka_unit_test(shipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
