/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the trie: AWS's match priority, backtracking by method, slashes, variables; the bound on
 * its work; its speed. */
#include "model_bed.h"

#include <time.h>

#define ENDS                                                                                       \
    ": {x-amazon-apigateway-integration: {type: http_proxy, httpMethod: ANY, uri: "                \
    "\"http://127.0.0.1:1/\"}}"

struct world {
    struct bed bed;
    const struct api *api;
    const struct route_trie *trie;
};

static const char *method_key(const char *name)
{
    static const char *const all[][2] = {
        {"GET", "get"},         {"PUT", "put"},
        {"POST", "post"},       {"DELETE", "delete"},
        {"OPTIONS", "options"}, {"HEAD", "head"},
        {"PATCH", "patch"},     {"ANY", "x-amazon-apigateway-any-method"}};

    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(all[i][0], name) == 0)
            return all[i][1];
    fail_msg("%s", name);
    return "";
}

/* routes: "METHOD /path" each, the methods of one path side by side. */
static void world_text(struct text *t, const char *type, const char *const *routes, unsigned n)
{
    char path[256] = "";

    text_printf(t, "api: a\ntype: %s\nstages: {s: {}}\nopenapi:\n  openapi: 3.0.1\n  paths:\n",
                type);
    for (unsigned i = 0; i < n; i++) {
        const char *space = strchr(routes[i], ' ');
        char method[16];

        snprintf(method, sizeof(method), "%.*s", (int)(space - routes[i]), routes[i]);
        if (strcmp(path, space + 1) != 0)
            text_printf(t, "    \"%s\":\n", space + 1);
        snprintf(path, sizeof(path), "%s", space + 1);
        text_printf(t, "      %s%s\n", method_key(method), ENDS);
    }
}

static void world_init(struct world *w, const char *type, const char *const *routes, unsigned n)
{
    struct text t;

    bed_init(&w->bed);
    text_init(&t);
    world_text(&t, type, routes, n);
    bed_put(&w->bed, "main.yaml", BED_LISTEN "apis: {include: api.yaml}\n");
    bed_write(&w->bed, "api.yaml", text_str(&t));
    text_fini(&t);
    bed_load(&w->bed);
    w->api = w->bed.gw->apis[0];
    w->trie = w->api->deployments[0]->routes;
}

/* "METHOD /route a=b c=d", "-" for no path, "!" for no method. */
static const char *find(const struct world *w, const char *method, const char *path)
{
    static char out[1024];
    struct route_match m;
    enum route_result r =
        route_find(w->trie, w->api->type, str_z(path), http_method_of(str_z(method)), &m);
    int n;

    if (r != ROUTE_FOUND)
        return r == ROUTE_NO_PATH ? "-" : "!";
    n = snprintf(out, sizeof(out), "%s %.*s",
                 m.method->method == M_ANY ? "ANY"
                                           : http_method_name((enum http_method)m.method->method).p,
                 STR_ARG(m.method->resource->path));
    unsigned count;
    const str *names = route_names(w->trie, m.method, &count);
    assert_int_equal(count, m.param_count);
    for (unsigned i = 0; i < m.param_count; i++)
        n += snprintf(out + n, sizeof(out) - (size_t)n, " %.*s=%.*s", STR_ARG(names[i]),
                      STR_ARG(m.values[i]));
    return out;
}

struct probe {
    const char *method, *path, *want;
};

static void probe_all(const char *type, const char *const *routes, unsigned n,
                      const struct probe *p, unsigned count)
{
    struct world w;

    world_init(&w, type, routes, n);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(find(&w, p[i].method, p[i].path), p[i].want) != 0)
            fail_msg("%s %s %s: got \"%s\", want \"%s\"", type, p[i].method, p[i].path,
                     find(&w, p[i].method, p[i].path), p[i].want);
    bed_fini(&w.bed);
}
#define PROBE(type, routes, probes)                                                                \
    probe_all(type, routes, ARRAY_LEN(routes), probes, ARRAY_LEN(probes))

/* Recorded answers of AWS (REST). */
static void priority(void **state)
{
    static const char *const a[] = {"GET /part1", "GET /part1/hardcoded-value", "GET /{param+}"};
    static const char *const b[] = {"POST /test", "ANY /test/any", "OPTIONS /{proxy+}"};
    static const struct probe pa[] = {
        {"GET", "/part1", "GET /part1"},
        {"GET", "/part1/random-value", "GET /{param+} param=part1/random-value"},
        {"GET", "/part1/hardcoded-value", "GET /part1/hardcoded-value"},
        {"GET", "/x", "GET /{param+} param=x"},
        {"GET", "/", "-"},
        {"GET", "", "-"},
    };
    static const struct probe pb[] = {
        {"OPTIONS", "/test", "OPTIONS /{proxy+} proxy=test"},
        {"OPTIONS", "/test/any", "ANY /test/any"},
        {"POST", "/test", "POST /test"},
        {"GET", "/test", "!"},
        {"GET", "/elsewhere", "!"},
        {"OPTIONS", "/test/any/more", "OPTIONS /{proxy+} proxy=test/any/more"},
    };

    (void)state;
    PROBE("REST", a, pa);
    PROBE("REST", b, pb);
}

static void exact_before_any(void **state)
{
    static const char *const routes[] = {"GET /a",       "ANY /a",        "ANY /a/{id}",
                                         "POST /a/{id}", "GET /a/{id}/b", "GET /a/x/c"};
    static const struct probe probes[] = {
        {"GET", "/a", "GET /a"},
        {"PUT", "/a", "ANY /a"},
        {"HEAD", "/a", "ANY /a"},
        {"PROPFIND", "/a", "!"}, /* ANY stands for AWS's seven methods */
        {"POST", "/a/7", "POST /a/{id} id=7"},
        {"GET", "/a/7", "ANY /a/{id} id=7"},
        {"GET", "/a/x", "ANY /a/{id} id=x"},     /* the literal x has no method of its own */
        {"GET", "/a/x/b", "GET /a/{id}/b id=x"}, /* back from the literal */
        {"GET", "/a/x/c", "GET /a/x/c"},
        {"POST", "/a/x/c", "!"},
        {"GET", "/a/x/d", "-"},
    };

    (void)state;
    PROBE("REST", routes, probes);
}

/* A resource's methods are found whatever their order in the document, and where several resources end at one place. */
static void many_methods(void **state)
{
    static const char *const rest[] = {"PUT /a",  "DELETE /a", "ANY /a",     "GET /a",         "POST /b/{x+}",
                                       "GET /b/{x+}", "PATCH /b/{x+}", "POST /b", "HEAD /b", "DELETE /b"};
    static const struct probe in_rest[] = {
        {"PUT", "/a", "PUT /a"},           {"DELETE", "/a", "DELETE /a"}, {"GET", "/a", "GET /a"},
        {"PATCH", "/a", "ANY /a"},         {"GET", "/b/c", "GET /b/{x+} x=c"}, {"PATCH", "/b/c/d", "PATCH /b/{x+} x=c/d"},
        {"POST", "/b/c", "POST /b/{x+} x=c"}, {"PUT", "/b/c", "!"},       {"POST", "/b", "POST /b"},
        {"HEAD", "/b", "HEAD /b"},         {"DELETE", "/b", "DELETE /b"}, {"GET", "/b", "!"},
    };
    static const char *const http[] = {"POST /a/{x}", "GET /a/{x}", "DELETE /a/{y}", "ANY /a/{y}", "PUT /a/{z}",
                                       "GET /b/{x+}", "PUT /b/{y+}", "POST /b/{y+}"};
    static const struct probe in_http[] = {
        {"GET", "/a/1", "GET /a/{x} x=1"},    {"POST", "/a/1", "POST /a/{x} x=1"}, {"DELETE", "/a/1", "DELETE /a/{y} y=1"},
        {"PUT", "/a/1", "PUT /a/{z} z=1"},    {"HEAD", "/a/1", "ANY /a/{y} y=1"},  {"GET", "/b/1", "GET /b/{x+} x=1"},
        {"PUT", "/b/1/2", "PUT /b/{y+} y=1/2"}, {"POST", "/b/1", "POST /b/{y+} y=1"}, {"HEAD", "/b/1", "!"},
    };

    (void)state;
    PROBE("REST", rest, in_rest);
    PROBE("HTTP", http, in_http);
}

/* Literals stand in their parent, in the table, or beside it: by number and length. */
static void literals_of_every_length(void **state)
{
    static const char *const routes[] = {
        "GET /o/twelve-bytes",         "GET /p/thirteen-byte",         "GET /m/twenty-bytes-of-text", "GET /m/twenty-one-bytes-here",
        "GET /m/x",                    "GET /m/much-longer-than-anything-that-fits-anywhere", "GET /q/twelve-bytes/a",
        "GET /q/twelve-bytez/b",       "GET /l/a-single-literal-that-is-longer-than-an-edge"};
    static const struct probe probes[] = {
        {"GET", "/o/twelve-bytes", "GET /o/twelve-bytes"},
        {"GET", "/o/twelve-bytez", "-"},
        {"GET", "/o/twelve-byte", "-"},
        {"GET", "/o/twelve-bytess", "-"},
        {"GET", "/p/thirteen-byte", "GET /p/thirteen-byte"},
        {"GET", "/p/thirteen-bytf", "-"},
        {"GET", "/m/twenty-bytes-of-text", "GET /m/twenty-bytes-of-text"},
        {"GET", "/m/twenty-bytes-of-texu", "-"},
        {"GET", "/m/twenty-one-bytes-here", "GET /m/twenty-one-bytes-here"},
        {"GET", "/m/twenty-one-bytes-herf", "-"},
        {"GET", "/m/x", "GET /m/x"},
        {"GET", "/m/much-longer-than-anything-that-fits-anywhere", "GET /m/much-longer-than-anything-that-fits-anywhere"},
        {"GET", "/m/", "-"},
        {"GET", "/q/twelve-bytes/a", "GET /q/twelve-bytes/a"},
        {"GET", "/q/twelve-bytez/b", "GET /q/twelve-bytez/b"},
        {"GET", "/q/twelve-bytes/b", "-"},
        {"GET", "/l/a-single-literal-that-is-longer-than-an-edge", "GET /l/a-single-literal-that-is-longer-than-an-edge"},
        {"GET", "/l/a-single-literal-that-is-longer-than-an-edgf", "-"},
    };

    (void)state;
    PROBE("HTTP", routes, probes);
}

/* REST takes the deepest literal with its greedy resource; a greedy one needs a segment. */
static void greedy(void **state)
{
    static const char *const routes[] = {"ANY /{proxy+}", "GET /a/{proxy+}", "GET /a/b/{id}",
                                         "POST /a/b/{id}/c"};
    static const struct probe probes[] = {
        {"GET", "/a", "ANY /{proxy+} proxy=a"},
        {"GET", "/a/", "ANY /{proxy+} proxy=a"},
        {"GET", "/a/b", "GET /a/{proxy+} proxy=b"},
        {"GET", "/a/b/1", "GET /a/b/{id} id=1"},
        {"GET", "/a/b/1/c", "GET /a/{proxy+} proxy=b/1/c"},
        {"POST", "/a/b/1/c", "POST /a/b/{id}/c id=1"},
        {"POST", "/a/b/1", "ANY /{proxy+} proxy=a/b/1"},
        {"GET", "/x/y/z", "ANY /{proxy+} proxy=x/y/z"},
    };

    (void)state;
    PROBE("REST", routes, probes);
}

static void slashes(void **state)
{
    static const char *const routes[] = {"GET /", "GET /a", "GET /a/{proxy+}", "GET /b/{id}",
                                         "GET /hardcoded"};
    static const struct probe probes[] = {
        {"GET", "", "GET /"},
        {"GET", "/", "GET /"},
        {"GET", "//", "GET /"},
        {"GET", "/a/", "GET /a"},
        {"GET", "/a//", "-"},
        {"GET", "//hardcoded", "GET /hardcoded"},
        {"GET", "/a/proxy-value/", "GET /a/{proxy+} proxy=proxy-value"},
        {"GET", "/a/proxy-value//double-slash", "GET /a/{proxy+} proxy=proxy-value//double-slash"},
        {"GET", "/b/", "-"},
        {"GET", "/b//", "-"},
        {"GET", "/b/1/", "GET /b/{id} id=1"},
        {"GET", "/b/test%2Balias@gmail.com", "GET /b/{id} id=test%2Balias@gmail.com"},
        {"GET", "hardcoded", "-"},
    };

    (void)state;
    PROBE("REST", routes, probes);
}

/* HTTP APIs: any full match before any greedy one, then the default route. */
static void http_api(void **state)
{
    static const char *const routes[] = {"GET /pets/dog/1",    "GET /pets/dog/{id}",
                                         "GET /pets/{proxy+}", "ANY /{proxy+}",
                                         "ANY /$default",      "GET /{x}/full"};
    static const struct probe probes[] = {
        {"GET", "/pets/dog/1", "GET /pets/dog/1"},
        {"GET", "/pets/dog/2", "GET /pets/dog/{id} id=2"},
        {"GET", "/pets/cat/1", "GET /pets/{proxy+} proxy=cat/1"},
        {"POST", "/test/5", "ANY /{proxy+} proxy=test/5"},
        {"GET", "/pets/full", "GET /{x}/full x=pets"},
        {"GET", "/", "ANY $default"},
        {"PURGE", "/pets", "ANY $default"},
    };
    static const char *const names[] = {"GET /pets/{id}", "POST /pets/{name}",
                                        "GET /pets/{pet}/toys", "GET /shop/"};
    static const struct probe by_name[] = {
        {"GET", "/pets/1", "GET /pets/{id} id=1"},
        {"POST", "/pets/1", "POST /pets/{name} name=1"},
        {"PUT", "/pets/1", "!"},
        {"GET", "/pets/1/toys", "GET /pets/{pet}/toys pet=1"},
        {"GET", "/pets/1/", "-"},
        {"GET", "/shop/", "GET /shop/"},
        {"GET", "/shop", "-"},
        {"GET", "//shop/", "-"},
    };

    (void)state;
    PROBE("HTTP", routes, probes);
    PROBE("HTTP", names, by_name);
}

/* Literal and variable side by side at each of n levels: backtracking visits up to 2^n nodes. */
static void overlap_text(struct text *t, unsigned levels)
{
    text_printf(t, "api: a\nstages: {s: {}}\nopenapi:\n  openapi: 3.0.1\n  paths:\n");
    for (unsigned i = 0; i < 1u << levels; i++) {
        text_printf(t, "    \"");
        for (unsigned l = 0; l < levels; l++)
            if (i >> l & 1)
                text_printf(t, "/a");
            else
                text_printf(t, "/{v%u}", l);
        text_printf(t, "\":\n      %s%s\n", i == 0 ? "post" : "get", ENDS);
    }
}

static void bounded_work(void **state)
{
    struct world w;
    struct text t;

    (void)state;
    bed_init(&w.bed);
    bed_put(&w.bed, "main.yaml", BED_LISTEN "apis: {include: api.yaml}\n");
    text_init(&t);
    overlap_text(&t, 10);
    bed_write(&w.bed, "api.yaml", text_str(&t));
    text_fini(&t);
    bed_load(&w.bed);
    w.api = w.bed.gw->apis[0];
    w.trie = w.api->deployments[0]->routes;
    assert_string_equal(find(&w, "POST", "/a/a/a/a/a/a/a/a/a/a"),
                        "POST /{v0}/{v1}/{v2}/{v3}/{v4}/{v5}/{v6}/{v7}/{v8}/{v9} v0=a v1=a v2=a "
                        "v3=a v4=a v5=a v6=a v7=a v8=a v9=a");
    assert_string_equal(find(&w, "PUT", "/a/a/a/a/a/a/a/a/a/a"), "!");

    text_init(&t);
    overlap_text(&t, 12);
    bed_write(&w.bed, "api.yaml", text_str(&t));
    text_fini(&t);
    assert_false(bed_try(&w.bed));
    bed_said(&w.bed, "the document's paths overlap so much that one request may need 8191 steps, "
                     "expected at most 4096");
    bed_fini(&w.bed);
}

/* A long path costs by its length, and finds nothing behind the trie's depth but a greedy resource.
 */
static void long_paths(void **state)
{
    static const char *const routes[] = {"GET /a/{x}/b", "GET /g/{proxy+}"};
    static char path[60000];
    struct route_match m;
    struct world w;

    (void)state;
    world_init(&w, "REST", routes, ARRAY_LEN(routes));
    for (size_t i = 0; i + 1 < sizeof(path); i += 2)
        path[i] = '/', path[i + 1] = 'a';
    assert_int_equal(route_find(w.trie, API_REST, str_n(path, sizeof(path)), M_GET, &m),
                     ROUTE_NO_PATH);
    path[1] = 'g';
    assert_int_equal(route_find(w.trie, API_REST, str_n(path, sizeof(path)), M_GET, &m),
                     ROUTE_FOUND);
    assert_int_equal(m.values[0].n, sizeof(path) - 3);
    memset(path, '/', sizeof(path));
    assert_int_equal(route_find(w.trie, API_REST, str_n(path, sizeof(path)), M_GET, &m),
                     ROUTE_NO_PATH);
    memset(path + 1, 'x', sizeof(path) - 1);
    assert_int_equal(route_find(w.trie, API_REST, str_n(path, sizeof(path)), M_GET, &m),
                     ROUTE_NO_PATH);
    bed_fini(&w.bed);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void many_routes(unsigned n, double *load, double *ns)
{
    enum { ROUNDS = 200000, PATHS = 10000 };
    static char paths[PATHS][40];
    struct route_match m;
    struct world w;
    struct text t;
    double at;

    bed_init(&w.bed);
    bed_put(&w.bed, "main.yaml", BED_LISTEN "apis: {include: api.yaml}\n");
    text_init(&t);
    text_printf(&t, "api: a\nstages: {s: {}}\nopenapi:\n  openapi: 3.0.1\n  paths:\n");
    for (unsigned i = 0; i < n; i++)
        text_printf(&t, "    /service-%u/items/{id}:\n      get%s\n", i, ENDS);
    bed_write(&w.bed, "api.yaml", text_str(&t));
    text_fini(&t);
    at = seconds();
    bed_load(&w.bed);
    *load = seconds() - at;
    w.trie = w.bed.gw->apis[0]->deployments[0]->routes;
    for (unsigned i = 0; i < PATHS; i++)
        snprintf(paths[i], sizeof(paths[i]), "/service-%u/items/%u", i * 7919 % n, i);
    at = seconds();
    for (unsigned i = 0; i < ROUNDS; i++)
        assert_int_equal(route_find(w.trie, API_REST, str_z(paths[i % PATHS]), M_GET, &m),
                         ROUTE_FOUND);
    *ns = (seconds() - at) / ROUNDS * 1e9;
    bed_fini(&w.bed);
}

/* Prints; a busy machine is no failure. */
static void speed(void **state)
{
    double load[2], ns[2];

    (void)state;
    many_routes(10, &load[0], &ns[0]);
    many_routes(10000, &load[1], &ns[1]);
    print_message(
        "10 routes: load %.3f s, find %.0f ns; 10,000 routes: load %.3f s, find %.0f ns\n", load[0],
        ns[0], load[1], ns[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(priority),   cmocka_unit_test(exact_before_any),
        cmocka_unit_test(greedy),     cmocka_unit_test(slashes),
        cmocka_unit_test(many_methods), cmocka_unit_test(literals_of_every_length),
        cmocka_unit_test(http_api),   cmocka_unit_test(bounded_work),
        cmocka_unit_test(long_paths), cmocka_unit_test(speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
