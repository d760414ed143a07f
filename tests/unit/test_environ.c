/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of SALLYPORT_* variables over keys of the main conf. */
#include "model_bed.h"

extern char **environ;

static char text_of[16][256];
static char *table[17], **own; /* own: the environment of the test program, which cmocka reads too */

/* The environment is these variables alone. */
static void only(unsigned n, const char *const *v)
{
    assert_true(n <= 16);
    for (unsigned i = 0; i < n; i++) {
        snprintf(text_of[i], sizeof(text_of[i]), "%s", v[i]);
        table[i] = text_of[i];
    }
    table[n] = NULL;
    environ = table;
}

static int restore(void **state)
{
    (void)state;
    environ = own;
    return 0;
}
#define ONLY(...) only(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static void over_keys(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", BED_LISTEN "threads: 2\nlimits: {url: 8KB, body: 1KB}\nlog: {level: warn}\n");
    ONLY("SALLYPORT_LOG_LEVEL=debug", "SALLYPORT_THREADS=3", "SALLYPORT_LIMITS_HEADER_BLOCK=64KB", "SALLYPORT_LIMITS_URL=4KB",
         "SALLYPORT_AWS_REGION=eu-central-1", "SALLYPORT_TEST_ANYTHING=x", "PATH=/bin", "SALLYPORT=x");
    bed_load(&b);
    assert_str(b.gw->log_level, "debug");
    assert_int_equal(b.gw->threads, 3);
    assert_int_equal(b.gw->limits.header_block, 65536);
    assert_int_equal(b.gw->limits.url, 4096);
    assert_int_equal(b.gw->limits.body, 1024);
    assert_str(b.gw->aws_region, "eu-central-1"); /* the file has no `aws` */
    ONLY("PATH=/bin");
    bed_load(&b);
    assert_str(b.gw->log_level, "warn");
    assert_int_equal(b.gw->limits.header_block, 32768);
    bed_fini(&b);
}

/* In a conf of JSON too, where scalars have types of their own; and over a map that is empty. */
static void over_json(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", "{\"listen\": [{\"address\": \"127.0.0.1:8080\"}], \"threads\": 2, \"log\": null}");
    ONLY("SALLYPORT_THREADS=5", "SALLYPORT_LOG_LEVEL=error");
    bed_load(&b);
    assert_int_equal(b.gw->threads, 5);
    assert_str(b.gw->log_level, "error");
    bed_fini(&b);
}

static void from_files(void **state)
{
    char both[3][256];
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", BED_LISTEN);
    bed_put(&b, "region", "eu-west-1\r\n");
    bed_put(&b, "level", "loud\n");
    bed_write(&b, "nul", str_n("a\0b", 3));
    snprintf(both[0], sizeof(both[0]), "SALLYPORT_AWS_REGION_FILE=%s/region", b.dir);
    ONLY(both[0]);
    bed_load(&b);
    assert_str(b.gw->aws_region, "eu-west-1");

    ONLY("SALLYPORT_AWS_REGION=local", both[0]);
    assert_false(bed_try(&b));
    bed_said(&b, "SALLYPORT_AWS_REGION: error: aws.region: the value is set twice, by SALLYPORT_AWS_REGION_FILE too");

    snprintf(both[1], sizeof(both[1]), "SALLYPORT_LOG_LEVEL_FILE=%s/level", b.dir);
    ONLY(both[1]);
    assert_false(bed_try(&b));
    bed_said(&b, "SALLYPORT_LOG_LEVEL_FILE: error: log.level: ");
    assert_true(str_find(diag_text(&b.diag), STR("loud")) == diag_text(&b.diag).n); /* may be a secret */

    snprintf(both[2], sizeof(both[2]), "SALLYPORT_AWS_REGION_FILE=%s/nul", b.dir);
    ONLY(both[2]);
    assert_false(bed_try(&b));
    bed_said(&b, "SALLYPORT_AWS_REGION_FILE: error: '/");
    bed_said(&b, "/nul' is not a text, expected a text in UTF-8");

    ONLY("SALLYPORT_AWS_REGION_FILE=/nowhere/at/all", "SALLYPORT_LOG_LEVEL_FILE=");
    assert_false(bed_try(&b));
    bed_said(&b, "SALLYPORT_AWS_REGION_FILE: error: ");
    bed_said(&b, "cannot read '/nowhere/at/all'");
    bed_said(&b, "SALLYPORT_LOG_LEVEL_FILE: error: the path is empty, expected a file's path");
    assert_int_equal(b.diag.errors, 2);
    bed_fini(&b);
}

/* All of them in one pass, beside the file's own. */
static void errors(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", BED_LISTEN "limits: {url: many}\n");
    ONLY("SALLYPORT_LOG_LEVLE=debug", "SALLYPORT_TRUSTED_PROXIES=10.0.0.0/8", "SALLYPORT_LOG=x", "SALLYPORT_=1",
         "SALLYPORT_THREADS=", "SALLYPORT_STORE=sqlite:x", "SALLYPORT_log_level=info", "SALLYPORT_LIMITS_URL_=1KB",
         "SALLYPORT_LIMITS_BODY=-1", "SALLYPORT_AWS_REGION=\xff");
    assert_false(bed_try(&b));
    bed_said(&b, "SALLYPORT_LOG_LEVLE: error: no key of the conf has this environment variable, expected ");
    bed_said(&b, "(did you mean 'SALLYPORT_LOG_LEVEL'?)");
    bed_said(&b, "SALLYPORT_TRUSTED_PROXIES: error: 'trusted_proxies' has more than one value, or keys below it");
    bed_said(&b, "SALLYPORT_LOG: error: 'log' has more than one value, or keys below it");
    bed_said(&b, "SALLYPORT_: error: no key of the conf");
    bed_said(&b, "SALLYPORT_THREADS: error: threads: ");
    bed_said(&b, "SALLYPORT_STORE: error: store: ");
    bed_said(&b, "SALLYPORT_log_level: error: no key of the conf");
    bed_said(&b, "SALLYPORT_LIMITS_URL_: error: no key of the conf");
    bed_said(&b, "SALLYPORT_LIMITS_BODY: error: limits.body: ");
    bed_said(&b, "SALLYPORT_AWS_REGION: error: the value is not a text");
    bed_said(&b, "/main.yaml:2:15: error: limits.url: 'many' is not a size");
    assert_int_equal(b.diag.errors, 11);
    bed_fini(&b);
}

/* A value of the wrong kind in the file is told as it is, not covered. */
static void not_over_what_is_no_map(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", BED_LISTEN "log: [level]\n");
    ONLY("SALLYPORT_LOG_LEVEL=debug");
    assert_false(bed_try(&b));
    bed_said(&b, "/main.yaml:2:6: error: log: ");
    bed_fini(&b);
}

/* What a reload compares. */
static void counts_in_the_hash(void **state)
{
    struct bed b;
    uint64_t first;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", BED_LISTEN);
    ONLY("SALLYPORT_THREADS=2");
    bed_load(&b);
    first = b.gw->hash;
    bed_load(&b);
    assert_true(b.gw->hash == first);
    ONLY("SALLYPORT_THREADS=3");
    bed_load(&b);
    assert_true(b.gw->hash != first);
    bed_fini(&b);
}

int main(void)
{
    own = environ;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(over_keys, restore),
        cmocka_unit_test_teardown(over_json, restore),
        cmocka_unit_test_teardown(from_files, restore),
        cmocka_unit_test_teardown(errors, restore),
        cmocka_unit_test_teardown(not_over_what_is_no_map, restore),
        cmocka_unit_test_teardown(counts_in_the_hash, restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
