/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of includes, of ${env:} and ${file:}, and of which files are read as APIs. */
#include "model_bed.h"

static void merged(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml",
            "include: [conf.d/*.yaml, none.d/*.yaml]\n" BED_LISTEN
            "limits: {url: 8KB}\nupstreams: [{id: main, targets: [\"127.0.0.1:1\"]}]\n");
    bed_put(&b, "conf.d/b.yaml", "upstreams: [{id: b, targets: [\"127.0.0.1:2\"]}]\nthreads: 2\n");
    bed_put(&b, "conf.d/B.yaml",
            "upstreams: [{id: B, targets: [\"127.0.0.1:3\"]}]\nlimits: {body: 1KB}\n");
    bed_put(&b, "conf.d/a.txt", "threads: 9\n");
    bed_put(&b, "conf.d/c.yaml", "# nothing\n");
    bed_load(&b);
    assert_int_equal(b.gw->upstream_count, 3);
    assert_str(b.gw->upstreams[0].id, "main");
    assert_str(b.gw->upstreams[1].id, "B"); /* byte order: upper case first */
    assert_str(b.gw->upstreams[2].id, "b");
    assert_int_equal(b.gw->threads, 2);
    assert_int_equal(b.gw->limits.url, 8192);
    assert_int_equal(b.gw->limits.body, 1024);
    bed_fini(&b);
}

/* Paths count from the file that names them. */
static void relative_paths(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", "include: conf.d/x.yaml\n" BED_LISTEN "apis: {include: one.yaml}\n");
    bed_put(&b, "conf.d/x.yaml",
            BED_UPSTREAMS "plugin_dirs: plug\napis: {include: [\"../two.yaml\", three.yaml]}\n");
    bed_put(&b, "one.yaml", "api: one\nupstream: orders\n");
    bed_put(&b, "two.yaml", "api: two\nupstream: orders\n");
    bed_put(&b, "conf.d/three.yaml", "api: three\nupstream: toys\n");
    bed_load(&b);
    assert_int_equal(b.gw->api_count, 3);
    assert_str(b.gw->apis[0]->id, "one");
    assert_str(b.gw->apis[1]->id, "two");
    assert_str(b.gw->apis[2]->id, "three");
    assert_has(b.gw->plugin_dirs[0], "/conf.d/plug");
    bed_fini(&b);
}

static void errors_name_their_file(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", "include: conf.d/*.yaml\n" BED_LISTEN "plugins: [a]\n");
    bed_put(&b, "conf.d/x.yaml", "plugins:\n  - a\nlimits:\n  url: many\n");
    assert_false(bed_try(&b));
    bed_said(&b, "/conf.d/x.yaml:2:5: error: plugins[0]: the plugin entry 'a' is defined twice, "
                 "first at /tmp/");
    bed_said(&b, "/main.yaml:3:11, expected an `id:` of its own for each entry");
    bed_said(&b, "/conf.d/x.yaml:4:8: error: limits.url: 'many' is not a size");
    assert_int_equal(b.diag.errors, 2);
    bed_fini(&b);
}

static void substitution(void **state)
{
    struct bed b;

    (void)state;
    setenv("SALLYPORT_TEST_PORT", "8181", 1);
    setenv("SALLYPORT_TEST_EMPTY", "", 1);
    unsetenv("SALLYPORT_TEST_UNSET");
    bed_init(&b);
    bed_put(
        &b, "main.yaml",
        "listen: [{address: \"127.0.0.1:${env:SALLYPORT_TEST_PORT}\", name: "
        "\"${env:SALLYPORT_TEST_UNSET:-front}\"}]\n"
        "threads: ${env:SALLYPORT_TEST_UNSET:-4}\n"
        "log: {level: \"${env:SALLYPORT_TEST_EMPTY:-warn}\"}\n"
        "aws: {region: \"${file:sub/region}\"}\n"
        "plugins:\n"
        "  - p: {a: \"$${env:X}\", b: \"${context.requestId}\", c: \"x${env:SALLYPORT_TEST_EMPTY}y\", "
        "d: \"${stageVariables.v}-$$\", e: \"${env:SALLYPORT_TEST_UNSET:-}\"}\n");
    bed_put(&b, "sub/region", "eu-central-1\r\n");
    bed_load(&b);
    assert_str(b.gw->listeners[0].text, "127.0.0.1:8181");
    assert_str(b.gw->listeners[0].name, "front");
    assert_int_equal(b.gw->threads, 4);
    assert_str(b.gw->log_level, "warn");
    assert_str(b.gw->aws_region, "eu-central-1");
    assert_str(node_getz(b.gw->plugins[0].with, "a")->text, "${env:X}");
    assert_str(node_getz(b.gw->plugins[0].with, "b")->text, "${context.requestId}");
    assert_str(node_getz(b.gw->plugins[0].with, "c")->text, "xy");
    assert_str(node_getz(b.gw->plugins[0].with, "d")->text, "${stageVariables.v}-$$");
    assert_str(node_getz(b.gw->plugins[0].with, "e")->text, "");
    bed_fini(&b);
}

/* A secret from a file is not repeated in a message. */
static void secrets_stay(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(
        &b, "main.yaml",
        BED_LISTEN
        "threads: \"${file:secret}\"\nlog: {to: \"${file:secret}\", level: \"${file:secret}\"}\n");
    bed_put(&b, "secret", "hunter2");
    assert_false(bed_try(&b));
    assert_int_equal(b.diag.errors, 3);
    assert_true(str_find(diag_text(&b.diag), STR("hunter2")) == diag_text(&b.diag).n);
    bed_write(&b, "secret", str_n("a\0b", 3));
    assert_false(bed_try(&b));
    bed_said(&b, "is not a text, expected a text in UTF-8");
    bed_fini(&b);
}

/* ${...} in a document is AWS's; in the rest of the API file it is ours. */
static void documents_are_left_alone(void **state)
{
    const struct api *api;
    struct bed b;

    (void)state;
    setenv("SALLYPORT_TEST_HOST", "10.0.0.9:80", 1);
    bed_init(&b);
    api = bed_api(&b, "api: a\n"
                      "stages: {prod: {variables: {backend: \"${env:SALLYPORT_TEST_HOST}\"}}}\n"
                      "openapi:\n"
                      "  openapi: 3.0.3\n"
                      "  info: {title: \"${env:SALLYPORT_TEST_UNSET}\"}\n"
                      "  paths:\n"
                      "    /a:\n"
                      "      get:\n"
                      "        x-amazon-apigateway-integration: {type: http_proxy, httpMethod: "
                      "GET, uri: \"http://${stageVariables.backend}/${env:X}\"}\n");
    assert_str(api->stages[0].vars[0].value, "10.0.0.9:80");
    assert_str(api->deployments[0]->methods[0].integration.uri,
               "http://${stageVariables.backend}/${env:X}");
    bed_fini(&b);
}

#define DOC                                                                                        \
    "openapi: 3.0.1\npaths: {/a: {get: {x-amazon-apigateway-integration: {type: http_proxy, "      \
    "httpMethod: GET, uri: \"http://127.0.0.1:1/\"}}}}\n"

/* Documents lie beside the API files that name them, and match their pattern. */
static void documents_beside(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml",
            BED_LISTEN "apis: {include: [apis.d/*.yaml, apis.d/*.json, apis.d/a.yaml]}\n");
    bed_put(&b, "apis.d/a.openapi.yaml", DOC);
    bed_put(&b, "apis.d/a.yaml",
            "api: a\nstages: {s: {}}\ndefinition: a.openapi.yaml\ndeployments: {v1: old.json, v2: "
            "a.openapi.yaml}\n");
    bed_put(&b, "apis.d/old.json",
            "{\"openapi\": \"3.0.0\", \"paths\": {\"/old\": {\"get\": "
            "{\"x-amazon-apigateway-integration\": "
            "{\"type\": \"http_proxy\", \"httpMethod\": \"GET\", \"uri\": "
            "\"http://127.0.0.1:1/\"}}}}}");
    bed_load(&b);
    assert_int_equal(b.diag.count, 0);
    assert_int_equal(b.gw->api_count, 1);
    assert_int_equal(b.gw->apis[0]->deployment_count, 3);
    assert_str(b.gw->apis[0]->deployments[1]->resources[0].path, "/old");
    bed_put(&b, "apis.d/lost.yaml", DOC);
    bed_load(&b);
    assert_int_equal(b.diag.warnings, 1);
    bed_said(&b, "/apis.d/lost.yaml:1:1: warning: no API file names this OpenAPI document");
    /* a broken document is reported once, though pattern and definition both lead to it */
    bed_put(&b, "apis.d/a.openapi.yaml", "openapi: 3.0.1\npaths: [\n");
    bed_put(&b, "apis.d/a.yaml", "api: a\nstages: {s: {}}\ndefinition: a.openapi.yaml\n");
    assert_false(bed_try(&b));
    assert_int_equal(b.diag.errors, 1);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merged),
        cmocka_unit_test(relative_paths),
        cmocka_unit_test(errors_name_their_file),
        cmocka_unit_test(substitution),
        cmocka_unit_test(secrets_stay),
        cmocka_unit_test(documents_are_left_alone),
        cmocka_unit_test(documents_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
