/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of kept confs: what was read comes back as it was when the disk has changed or is gone; text that nobody wrote is refused. */
#include "model/keep.h"

#include "model_bed.h"

static const char api[] = "api: a\nupstream: up\nhosts: [{ name: \"${file:host}\" }]\n";

static struct gateway *reload(struct bed *b, const char *path, struct keep *k)
{
    diag_fini(&b->diag);
    diag_init(&b->diag);
    return gateway_load_keep(path, k, &b->diag);
}

static void comes_back(void **state)
{
    struct bed b;
    struct text t;

    (void)state;
    bed_init(&b);
    bed_put(&b, "main.yaml", BED_LISTEN "include: more/*.yaml\napis: { include: [apis.d/*.yaml, none.d/*.yaml] }\n");
    bed_put(&b, "more/up.yaml", "upstreams: [{ id: up, targets: [\"127.0.0.1:1\"] }]\n");
    bed_put(&b, "apis.d/a.yaml", api);
    bed_put(&b, "apis.d/host", "one.test");
    char path[128];
    snprintf(path, sizeof(path), "%s/main.yaml", b.dir);
    struct keep *k = keep_new();
    struct gateway *g = reload(&b, path, k);
    assert_non_null(g);
    uint64_t hash = g->hash;
    gateway_free(g);
    text_init(&t);
    assert_int_equal(keep_write(k, &t), 0);
    keep_free(k);
    bed_put(&b, "main.yaml", "listen: [\n");
    bed_put(&b, "more/z.yaml", "not: known\n");
    bed_put(&b, "apis.d/host", "two.test");
    bed_put(&b, "apis.d/a.yaml", "api: other\n");
    bed_put(&b, "none.d/b.yaml", api);
    k = keep_read(text_str(&t));
    assert_non_null(k);
    g = reload(&b, path, k);
    assert_int_equal(b.diag.count, 0);
    assert_non_null(g);
    assert_true(g->hash == hash);
    assert_int_equal(g->api_count, 1);
    assert_str(g->apis[0]->id, "a");
    gateway_free(g);
    keep_free(k);
    text_fini(&t);
    bed_fini(&b);
}

static void every_cut_is_refused_or_shorter(void **state)
{
    struct text t;
    struct keep *k = keep_new();
    const char *paths[] = {"b", "a"};
    unsigned whole = 0;

    (void)state;
    keep_file(k, STR("x"), STR("12345"));
    keep_file(k, STR("x"), STR("the first one counts"));
    keep_file(k, STR("empty"), STR(""));
    keep_glob(k, STR("*"), paths, 2);
    keep_glob(k, STR("none"), NULL, 0);
    text_init(&t);
    assert_int_equal(keep_write(k, &t), 0);
    keep_free(k);
    for (size_t n = 0; n < t.n; n++) {
        char *exact = malloc(n + 1); /* so that a read behind its end is seen */
        memcpy(exact, t.p, n);
        k = keep_read(str_n(exact, n));
        whole += k != NULL;
        keep_free(k);
        free(exact);
    }
    assert_int_equal(whole, 4); /* none, one, two and three records */
    k = keep_read(text_str(&t));
    str s;
    assert_true(keep_replays(k));
    assert_true(keep_file_get(k, STR("x"), &s));
    assert_str(s, "12345");
    assert_true(keep_file_get(k, STR("empty"), &s));
    assert_int_equal(s.n, 0);
    assert_false(keep_file_get(k, STR("y"), &s));
    s = keep_glob_get(k, STR("*"));
    assert_int_equal(s.n, 4);
    assert_memory_equal(s.p, "b\0a", 4);
    assert_int_equal(keep_glob_get(k, STR("none")).n, 0);
    keep_free(k);
    t.p[0] = 'X';
    assert_null(keep_read(text_str(&t)));
    text_fini(&t);
}

static void nothing_is_kept_without_one(void **state)
{
    str s;

    (void)state;
    keep_file(NULL, STR("x"), STR("y"));
    keep_glob(NULL, STR("x"), NULL, 0);
    assert_false(keep_replays(NULL));
    assert_false(keep_file_get(NULL, STR("x"), &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(comes_back), cmocka_unit_test(every_cut_is_refused_or_shorter),
                                       cmocka_unit_test(nothing_is_kept_without_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
