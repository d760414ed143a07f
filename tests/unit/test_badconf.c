/* SPDX-License-Identifier: Apache-2.0 */
/* Every broken conf of tests/conf/bad is refused with exactly the lines that stand in its head, as
 * text and as JSON. bad/NAME.yaml are main confs; bad/api/NAME.yaml are API files, tried through
 * tests/conf/one-api.yaml; what a JSON file must answer stands in NAME.json.expect. */
#include <dirent.h>

#include "model_bed.h"

#include "base/arena.h"
#include "base/node.h"

#define CASES_MIN 75

static char dir_bad[512], dir_api[576], one_api[512];

static str slurp(struct arena *a, const char *path)
{
    char buf[65536];
    FILE *in = fopen(path, "r");
    size_t n;

    assert_non_null(in);
    n = fread(buf, 1, sizeof(buf), in);
    fclose(in);
    assert_true(n < sizeof(buf));
    return arena_str(a, str_n(buf, n));
}

/* The lines behind "# expect: ", joined by newlines. */
static str expected(struct arena *a, str file)
{
    str out = STR("");

    for (str rest = file; rest.p && rest.n;) {
        str line = str_cut(&rest, '\n');

        if (str_starts(line, STR("# expect: ")))
            out = arena_cat(a, 3, (str[]){out, str_drop(line, 10), STR("\n")});
    }
    return out;
}

/* Paths as the expectations have them: relative to the folder, the file's own name left out at a
 * line's start. */
static str shorten(struct arena *a, str all, const char *dir, const char *name)
{
    str prefix = arena_printf(a, "%s/", dir), own = arena_printf(a, "%s:", name), out = STR("");

    while (all.p && all.n) {
        str line = str_cut(&all, '\n'), bare = STR("");

        for (size_t at = str_find(line, prefix); at < line.n; at = str_find(line, prefix)) {
            bare = arena_cat(a, 2, (str[]){bare, str_take(line, at)});
            line = str_drop(line, at + prefix.n);
        }
        bare = arena_cat(a, 2, (str[]){bare, line});
        if (str_starts(bare, own))
            bare = str_drop(bare, own.n);
        out = arena_cat(a, 3, (str[]){out, bare, STR("\n")});
    }
    return out;
}

/* The JSON form says the same as the items. */
static void check_json(struct diag *d)
{
    struct node_tree *t = node_tree_new();
    struct diag own;
    struct node *list;

    diag_init(&own);
    assert_non_null(t);
    list = node_read_json(t, &own, "diag.json", diag_json(d), &NODE_LIMITS_DEFAULT);
    assert_non_null(list);
    assert_int_equal(list->count, d->count);
    for (unsigned i = 0; i < d->count; i++) {
        const struct diag_item *it = &d->items[i];
        const struct node *n = node_at(list, i);
        uint64_t line = 0;

        assert_true(str_eq(node_getz(n, "message")->text, it->what));
        assert_true(
            str_eqz(node_getz(n, "level")->text, it->level == DIAG_ERROR ? "error" : "warning"));
        if (it->line) {
            assert_int_equal(str_u64(node_getz(n, "line")->text, &line), 0);
            assert_int_equal(line, it->line);
            assert_true(str_eq(node_getz(n, "file")->text, it->file));
        }
    }
    diag_fini(&own);
    node_tree_free(t);
}

static bool try_one(const char *dir, const char *name, bool api)
{
    char path[1024], expect[1100];
    struct arena a;
    struct diag d;
    struct gateway *gw;
    str want, got;
    bool same;

    arena_init(&a, NULL);
    diag_init(&d);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(expect, sizeof(expect), "%s%s", path,
             str_ends(str_z(name), STR(".json")) ? ".expect" : "");
    want = expected(&a, slurp(&a, expect));
    setenv("SALLYPORT_TEST_BAD_API", path, 1);
    gw = gateway_load(api ? one_api : path, &d);
    got = shorten(&a, diag_text(&d), dir, name);
    same = gw == NULL && want.n > 0 && str_eq(want, got);
    if (!same)
        print_error("%s:\nexpected\n%.*sgot\n%.*s%s", name, STR_ARG(want), STR_ARG(got),
                    gw ? "and it was loaded\n" : "");
    check_json(&d);
    gateway_free(gw);
    diag_fini(&d);
    arena_fini(&a);
    return same;
}

static unsigned try_all(const char *dir, bool api, unsigned *bad)
{
    DIR *in = opendir(dir);
    struct dirent *e;
    unsigned n = 0;

    assert_non_null(in);
    while ((e = readdir(in)) != NULL) {
        str name = str_z(e->d_name);

        if (!str_ends(name, STR(".yaml")) && !str_ends(name, STR(".json")))
            continue;
        n++;
        *bad += !try_one(dir, e->d_name, api);
    }
    closedir(in);
    return n;
}

static void broken_confs(void **state)
{
    unsigned bad = 0, n;

    (void)state;
    n = try_all(dir_bad, false, &bad) + try_all(dir_api, true, &bad);
    print_message("%u broken confs\n", n);
    assert_int_equal(bad, 0);
    assert_true(n >= CASES_MIN);
}

/* What a test of refusals leans on must itself be accepted. */
static void sound_conf(void **state)
{
    struct bed b;

    (void)state;
    bed_init(&b);
    bed_put(&b, "api.yaml", "api: shop\nupstream: orders\n");
    bed_put(&b, "main.yaml", "listen: []\n");
    {
        char path[128];

        snprintf(path, sizeof(path), "%s/api.yaml", b.dir);
        setenv("SALLYPORT_TEST_BAD_API", path, 1);
        b.gw = gateway_load(one_api, &b.diag);
        assert_int_equal(b.diag.count, 0);
        assert_non_null(b.gw);
    }
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(broken_confs),
                                       cmocka_unit_test(sound_conf)};
    const char *top = getenv("top_srcdir");

    unsetenv("SALLYPORT_TEST_UNSET");
    snprintf(dir_bad, sizeof(dir_bad), "%s/tests/conf/bad", top ? top : ".");
    snprintf(dir_api, sizeof(dir_api), "%s/api", dir_bad);
    snprintf(one_api, sizeof(one_api), "%s/tests/conf/one-api.yaml", top ? top : ".");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
