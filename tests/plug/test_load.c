/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins that must be refused, each with its words, and those that must load all the same. */
#include "plug.h"

#include <elf.h> /* behind ev.h, whose enumerator EV_NONE is a macro here */

static const struct refusal {
    const char *name, *problem, *advice;
} refusals[] = {
    {"bad-entry", "it has no function sp_entry", "SP_EXPORT"},
    {"bad-null", "sp_entry() returned NULL", "return the address"},
    {"bad-align", "misaligned address", "struct sp_plugin"},
    {"bad-magic", "its descriptor begins with 0x12345678, not 0x59505331", "SP_MAGIC"},
    {"bad-major", "was built for ABI 7.3; this gateway speaks ABI 0.", "rebuild it"},
    {"bad-size", "has a descriptor of 16 bytes", "sizeof(struct sp_plugin)"},
    {"bad-huge", "has a descriptor of 1048576 bytes", "sizeof(struct sp_plugin)"},
    {"bad-need", "at least; this gateway speaks ABI 0.", "upgrade the gateway"},
    {"bad-symbol", "has an unresolved symbol: sallyport_has_no_such_function", "link the library"},
    {"bad-noname", "has an empty name", "the file's name"},
    {"bad-empty", "has an empty name", "the file's name"},
    {"bad-long", "has a name of more than 63 characters: 'a2345", "63 at most"},
    {"bad-chars", "has a malformed name: 'Bad_Chars'", "a letter a-z"},
    {"bad-differs", "names itself 'something-else', but its file is named 'bad-differs.so'",
     "the file's name"},
    {"bad-version", "has no version", ".version"},
    {"bad-point", "has a hook (number 1) at the unknown hook point 99", "SP_HP_LOG"},
    {"bad-fn", "has a hook at RESPONSE without a function", ".fn"},
    {"bad-stride", "has a hook stride of 0 bytes; a hook has 16", "sizeof(struct sp_hook)"},
    {"bad-twice", "has two hooks at REQUEST", "make them one"},
    {"bad-hooks", "says it has 1 hooks, but has no table of them", ".hooks"},
    {"bad-many", "has 17 hooks; 16 at most", "one hook per"},
    {"bad-ctx", "asks for 65537 bytes of ctx per exchange; 65536 at most", "exchange->alloc"},
    {"bad-dict", "cannot live without the host table 'dict'", "test for NULL"},
    {"bad-io", "cannot live without the host table 'io'", "test for NULL"},
    {"bad-offload", "cannot live without the host table 'offload'", "test for NULL"},
    {"bad-table", "needs the host table number 60", "upgrade the gateway"},
    {"bad-provides", "provides an integration type, but has no hook at INTEGRATION",
     "add the hook"},
    {"bad-opt-type", "has a malformed option 'x': unknown type 77", "option table"},
    {"bad-opt-enum", "has a malformed option 'x': ENUM without names", "option table"},
    {"bad-opt-list", "has a malformed option 'x': LIST, MAP and DICT need sub", "option table"},
    {"bad-opt-bounds", "has a malformed option 'x': min 2 is above max 1", "option table"},
    {"bad-opt-default", "its default 'soon' is not a value", "option table"},
    {"bad-opt-range", "its default '9' is not a value of its type and bounds", "option table"},
    {"bad-opt-key", "has a malformed option key", "option table"},
    {"bad-opt-twice", "has the option 'x' twice", "option table"},
    {"bad-opt-nested", "has a malformed option 'top.deep': unknown type 0", "option table"},
    {"bad-opt-cycle", "nested more than 12 deep", "option table"},
    {"bad-opt-stride", "has an option stride of 8 bytes; an option has 64",
     "sizeof(struct sp_option)"},
    {"bad-opt-count", "says it has 3 options, but has no table of them", "option table"},
};

static void assert_refused(struct plug *p, const char *path, str pin, const char *problem,
                           const char *advice)
{
    struct module_report r;
    struct sp_module *m = (struct sp_module *)p;
    int rc = module_open(&p->reg, path, pin, &r, &m);
    if (rc == 0 || !strstr(r.problem, problem) || !strstr(r.advice, advice))
        print_error("%s: %d: %s: %s\nwant: %s: %s\n", path, rc, r.problem, r.advice, problem,
                    advice);
    assert_int_equal(rc, E_CONF);
    assert_null(m);
    assert_false(r.ok);
    assert_non_null(strstr(r.problem, problem));
    assert_non_null(strstr(r.advice, advice));
}

static void test_descriptors(void **state)
{
    struct plug *p = *state = plug_new();
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        char file[64];
        snprintf(file, sizeof file, "%s.so", refusals[i].name);
        assert_refused(p, plug_copy(p, refusals[i].name, file), STR_NONE, refusals[i].problem,
                       refusals[i].advice);
    }
    assert_int_equal(p->reg.count, 0);
    plug_free(p);
}

static void test_not_a_file(void **state)
{
    struct plug *p = *state = plug_new();
    assert_refused(p, plug_path(p, "none.so"), STR_NONE, "cannot be opened: No such file",
                   "install the plugin");
    assert_int_equal(mkdir(plug_path(p, "dir.so"), 0755), 0);
    assert_refused(p, plug_path(p, "dir.so"), STR_NONE, "is not a regular file", "shared object");
    assert_int_equal(mkfifo(plug_path(p, "fifo.so"), 0600), 0);
    assert_refused(p, plug_path(p, "fifo.so"), STR_NONE, "is not a regular file", "shared object");
    assert_refused(p, plug_copy(p, "good", "good.txt"), STR_NONE, "is not named NAME.so",
                   "rename it");
    plug_free(p);
}

static void test_trust(void **state)
{
    struct plug *p = *state = plug_new();
    const char *path = plug_copy(p, "good", "good.so");
    chmod(path, 0775);
    assert_refused(p, path, STR_NONE, "may be written by its group (mode 0775)", "chmod go-w");
    chmod(path, 0757);
    assert_refused(p, path, STR_NONE, "may be written by everybody (mode 0757)", "chmod go-w");
    chmod(path, 0755);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 0), 0);
        assert_refused(p, path, STR_NONE, "belongs to user 12345", "change its owner");
        assert_int_equal(chown(path, 0, 0), 0);
    }
    assert_refused(p, path, STR("0000000000000000000000000000000000000000000000000000000000000000"),
                   "the conf pins 00000000", "sha256:");
    assert_refused(p, path, STR("abc"), "the conf pins abc", "sha256:");
    plug_free(p);
}

/* The good plugin with one field of its ELF header changed. */
static void assert_elf(struct plug *p, size_t at, const void *with, size_t n, const char *problem)
{
    size_t size;
    char *bytes = plug_read(plug_copy(p, "good", "elf.so"), &size);
    memcpy(bytes + at, with, n);
    plug_write(plug_path(p, "elf.so"), bytes, size, 0755);
    free(bytes);
    assert_refused(p, plug_path(p, "elf.so"), STR_NONE, problem, "");
}

static void test_elf(void **state)
{
    struct plug *p = *state = plug_new();
    const Elf64_Half machine = 0xfefe, exec = ET_EXEC, none = 0, many = 60000;
    const Elf64_Off far = (Elf64_Off)1 << 60;
    const uint16_t one = 1;
    assert_elf(p, 0, "#!/b", 4, "is not an ELF file");
    assert_elf(p, EI_CLASS, &(char){ELFCLASS32}, 1, "is not a 64-bit object");
    assert_elf(p, EI_DATA, &(char){*(const char *)&one ? ELFDATA2MSB : ELFDATA2LSB}, 1,
               "other byte order");
    assert_elf(p, offsetof(Elf64_Ehdr, e_machine), &machine, 2,
               "was built for another machine (ELF machine 65278");
    assert_elf(p, offsetof(Elf64_Ehdr, e_type), &exec, 2, "is not a shared object (ELF type 2)");
    assert_elf(p, offsetof(Elf64_Ehdr, e_phnum), &none, 2, "malformed ELF header");
    assert_elf(p, offsetof(Elf64_Ehdr, e_phnum), &many, 2, "malformed ELF header");
    assert_elf(p, offsetof(Elf64_Ehdr, e_phoff), &far, 8, "program headers are missing");
    plug_free(p);
}

/* What the dynamic linker maps ends here; symbols for debuggers may follow. */
static size_t mapped_end(const char *bytes)
{
    Elf64_Ehdr h;
    Elf64_Phdr ph;
    size_t end = 0;
    memcpy(&h, bytes, sizeof h);
    for (unsigned i = 0; i < h.e_phnum; i++) {
        memcpy(&ph, bytes + h.e_phoff + i * sizeof ph, sizeof ph);
        if (ph.p_type == PT_LOAD && ph.p_offset + ph.p_filesz > end)
            end = ph.p_offset + ph.p_filesz;
    }
    return end;
}

static void test_truncated(void **state)
{
    struct plug *p = *state = plug_new();
    size_t size;
    char *bytes = plug_read(plug_copy(p, "good", "cut.so"), &size);
    const char *path = plug_path(p, "cut.so");
    static const size_t lengths[] = {0, 1, 3, 4, 5, 63, 64, 65, 100, 1000, 4096};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        plug_write(path, bytes, lengths[i], 0755);
        assert_refused(p, path, STR_NONE, lengths[i] < 4 ? "is not an ELF file" : "is truncated",
                       "");
    }
    size_t end = mapped_end(bytes);
    assert_true(end > 4096 && end <= size);
    for (size_t n = end - 1; n > 4; n -= n / 8 + 1) {
        plug_write(path, bytes, n, 0755);
        assert_refused(p, path, STR_NONE, "is truncated", "copy or build it again");
    }
    free(bytes);
    plug_free(p);
}

static struct sp_module *load_from(struct plug *p, const char *path)
{
    struct diag d;
    diag_init(&d);
    str name = str_z(strrchr(path, '/') + 1);
    struct sp_module *m =
        module_load(&p->reg, str_take(name, name.n - 3), path, STR_NONE, NULL, 0, NULL, NULL, &d);
    if (!m)
        print_error("%.*s", STR_ARG(diag_text(&d)));
    diag_fini(&d);
    assert_non_null(m);
    return m;
}

/* One name, two files; and a file that changes under a known path. */
static void test_second_file(void **state)
{
    struct plug *p = *state = plug_new();
    struct sp_module *m = load_from(p, plug_copy(p, "good", "good.so"));
    assert_true(m->loaded);
    assert_false(module_stale(m));
    assert_int_equal(mkdir(plug_path(p, "two"), 0755), 0);
    assert_refused(p, plug_copy(p, "good", "two/good.so"), STR_NONE,
                   "is a second plugin named 'good'", "one of them");
    unlink(plug_path(p, "two/good.so"));
    plug_copy(p, "good-old", "good.so");
    assert_true(module_stale(m));
    unlink(plug_path(p, "good.so"));
    assert_true(module_stale(m));

    assert_refused(p, plug_copy(p, "bad-null", "bad-null.so"), STR_NONE, "returned NULL", "");
    assert_refused(p, plug_path(p, "bad-null.so"), STR_NONE, "returned NULL", "");
    assert_refused(p, plug_copy(p, "good-old", "bad-null.so"), STR_NONE,
                   "was replaced since this process looked", "upgrade");
    plug_free(p);
}

static void test_older_and_newer(void **state)
{
    struct plug *p = *state = plug_new();
    struct module_report r;
    struct sp_module *m;
    assert_int_equal(
        module_open(&p->reg, plug_copy(p, "good-old", "good-old.so"), STR_NONE, &r, &m), 0);
    assert_true(r.ok);
    assert_string_equal(r.name, "good-old");
    assert_string_equal(r.version, "1.2.3");
    assert_string_equal(r.notice, "");
    char sum[65];
    module_sha256(m, sum);
    assert_int_equal(strlen(sum), 64);
    assert_null(m->desc.conf_free);
    assert_null(m->desc.exchange_end);
    assert_non_null(module_hook(m, SP_HP_RESPONSE));

    assert_int_equal(
        module_open(&p->reg, plug_copy(p, "good-new", "good-new.so"), STR_NONE, &r, &m), 0);
    assert_non_null(strstr(r.notice, "is not frozen yet: rebuild it"));
    assert_int_equal(m->desc.nhooks, 2);
    assert_int_equal(m->hooks[1].point, SP_HP_LOG);
    assert_ptr_equal(module_hook(m, SP_HP_STAGE)->fn, m->hooks[0].fn);
    assert_null(module_hook(m, SP_HP_REQUEST));
    assert_int_equal(m->desc.noptions, 2);
    assert_string_equal(m->options[1].key, "second");
    assert_string_equal(m->options[1].sub[1].key, "b");
    assert_null(m->options[1].sub[2].key);
    plug_free(p);
}

static void test_pin(void **state)
{
    struct plug *p = *state = plug_new();
    struct module_report r;
    struct sp_module *m;
    const char *path = plug_copy(p, "good-old", "good-old.so");
    assert_int_equal(module_open(&p->reg, path, STR_NONE, &r, &m), 0);
    char sum[65], upper[65];
    module_sha256(m, sum);
    for (size_t i = 0; i < 65; i++)
        upper[i] = sum[i] >= 'a' && sum[i] <= 'f' ? (char)(sum[i] - 32) : sum[i];
    assert_int_equal(module_open(&p->reg, path, str_z(upper), &r, &m), 0);
    assert_string_equal(m->sha256, sum);
    m->mtime.tv_sec--, m->sha256[0] = 0; /* another file by now: its sum says nothing */
    module_sha256(m, sum);
    assert_string_equal(sum, "");
    plug_free(p);
}

/* What the conf's author reads: place, file, reason, remedy. */
static void assert_told(struct plug *p, const char *conf, const char *name,
                        const char *explicit_path, str pin, const char *want)
{
    struct diag d;
    struct node_tree *t = node_tree_new();
    str dir = str_z(p->dir);
    diag_init(&d);
    struct node *root = node_read_yaml(t, &d, "c.yaml", str_z(conf), NULL);
    assert_non_null(root);
    const struct node *at = node_getz(root, "plugins")->items[0];
    assert_null(module_load(&p->reg, str_z(name), explicit_path, pin, &dir, 1, t, at, &d));
    assert_int_equal(d.errors, 1);
    str told = diag_text(&d);
    if (str_find(told, str_z(want)) == told.n)
        print_error("%.*swant: %s\n", STR_ARG(told), want);
    assert_true(str_find(told, str_z(want)) < told.n);
    assert_true(str_starts(told, STR("c.yaml:2:5: error: plugins[0]: ")));
    diag_fini(&d);
    node_tree_free(t);
}

static void test_told(void **state)
{
    struct plug *p = *state = plug_new();
    const char *conf = "plugins:\n  - good\n";
    plug_copy(p, "good", "good.so");
    plug_copy(p, "bad-magic", "bad-magic.so");
    plug_copy(p, "bad-load", "bad-load.so");
    plug_copy(p, "good-old", "other.so");
    assert_told(p, conf, "god", NULL, STR_NONE,
                "the plugin 'god' is not installed: god.so was looked for in ");
    assert_told(p, conf, "god", NULL, STR_NONE, "(did you mean 'good'?)");
    assert_told(p, conf, "../good", NULL, STR_NONE,
                "'../good' is not a plugin's name, expected a letter a-z");
    assert_told(p, conf, "bad-magic", NULL, STR_NONE,
                "/bad-magic.so is not a Sallyport plugin: its descriptor begins");
    assert_told(p, conf, "bad-magic", NULL, STR_NONE, ": set .magic = SP_MAGIC\n");
    assert_told(p, conf, "bad-load", NULL, STR_NONE,
                "its load() answered -4 (a bound was reached)");
    assert_told(p, conf, "good", plug_path(p, "other.so"), STR_NONE,
                "its file is named 'other.so'");
    assert_int_equal(p->reg.count, 0);
    assert_int_equal(p->reg.command_count, 0);

    struct sp_module *m = load_from(p, plug_path(p, "good.so"));
    assert_ptr_equal(load_from(p, plug_path(p, "good.so")), m);
    assert_told(p, conf, "good", plug_path(p, "other.so"), STR_NONE, "needs an upgrade");
    assert_told(p, conf, "good", NULL, STR("ff"), "the conf pins ff");
    assert_int_equal(p->reg.count, 1);
    plug_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_not_a_file),
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_elf),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_second_file),
        cmocka_unit_test(test_older_and_newer),
        cmocka_unit_test(test_pin),
        cmocka_unit_test(test_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
