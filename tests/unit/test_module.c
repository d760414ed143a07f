/* SPDX-License-Identifier: Apache-2.0 */
/* A loaded plugin and the host tables that it meets: options, conf readers, commands, metrics,
 * variables, buffers, upstreams. */
#include "plug.h"

static struct plug *p;
static struct sp_module *m;

static int set_up(void **state)
{
    (void)state;
    struct diag d;
    p = plug_new();
    diag_init(&d);
    m = module_load(&p->reg, STR("good"), plug_copy(p, "good", "good.so"), STR_NONE, NULL, 0, NULL,
                    NULL, &d);
    if (!m)
        print_error("%.*s", STR_ARG(diag_text(&d)));
    diag_fini(&d);
    assert_non_null(m);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plug_free(p);
    return 0;
}

static void test_loaded(void **state)
{
    (void)state;
    assert_ptr_equal(module_find(&p->reg, STR("good")), m);
    assert_null(module_find(&p->reg, STR("goo")));
    assert_true(m->loaded);
    assert_false(m->in_load);
    assert_non_null(m->state);
    assert_true(module_provides(m, "integration:GOOD"));
    assert_true(module_provides(m, "validator"));
    assert_false(module_provides(m, "cache"));
    assert_non_null(module_hook(m, SP_HP_INTEGRATION));
    assert_null(module_hook(m, SP_HP_LOG));
}

/* Options */

static char *check_text(const char *conf, bool *ok)
{
    struct diag d;
    struct node_tree *t = node_tree_new();
    diag_init(&d);
    struct node *root = node_read_yaml(t, &d, "c.yaml", str_z(conf), NULL);
    assert_non_null(root);
    *ok = module_check_entry(m, node_getz(root, "with"), root, t, &d) == 0;
    char *out = str_dup(diag_text(&d));
    diag_fini(&d);
    node_tree_free(t);
    return out;
}

static void assert_checked(const char *conf, const char *want)
{
    bool ok;
    char *got = check_text(conf, &ok);
    assert_string_equal(got, want);
    assert_int_equal(ok, want[0] == 0);
    free(got);
}

static void test_options(void **state)
{
    (void)state;
    assert_checked("with: { title: x }\n", "");
    assert_checked(
        "with:\n  title: x\n  colour: red\n  wait: 5s\n  share: 0.5\n  loud: yes\n  file: a/b\n"
        "  limits: { bytes: 1KB, names: one }\n  rates: { a: 0.1, b: 1 }\n",
        "");
    assert_checked("use: good\n",
                   "c.yaml:1:1: error: the plugin 'good' requires the option 'title'\n");
    assert_checked("with: {}\n", "c.yaml:1:7: error: with: required key 'title' is missing\n");
    assert_checked("with:\n  titel: x\n  title: y\n",
                   "c.yaml:2:3: error: with.titel: unknown key 'titel' (did you mean 'title'?)\n");
    assert_checked("with:\n  title: x\n  colour: gren\n",
                   "c.yaml:3:11: error: with.colour: 'gren' is not known here, expected one of "
                   "red, green (did you mean 'green'?)\n");
    assert_checked(
        "with:\n  title: x\n  rates: { a: 0.5, b: 1.5 }\n",
        "c.yaml:3:23: error: with.rates.b: 1.5 is out of range, expected a number from 0 to 1\n");
    bool ok;
    char *all = check_text(
        "with:\n  wait: soon\n  share: x\n  loud: 3\n  limits: { bytes: 2MB, more: 1 }\n", &ok);
    unsigned lines = 0;
    for (const char *at = all; (at = strchr(at, '\n')); at++)
        lines++;
    assert_false(ok);
    assert_int_equal(lines, 6); /* all in one pass, the missing title too */
    free(all);
}

/* Reads a conf as conf_create would. */
static void with_conf(const char *yaml, void (*fn)(struct sp_conf *, struct diag *))
{
    struct diag d;
    struct node_tree *t = node_tree_new();
    diag_init(&d);
    struct node *root = node_read_yaml(t, &d, "/etc/x/c.yaml", str_z(yaml), NULL);
    assert_non_null(root);
    struct sp_errors errors = {.diag = &d, .tree = t, .entry = root};
    struct sp_conf c = {.size = sizeof c,
                        .module = m,
                        .errors = &errors,
                        .node = (const struct sp_node *)(const void *)node_getz(root, "with")};
    fn(&c, &d);
    diag_fini(&d);
    node_tree_free(t);
}

static void read_values(struct sp_conf *c, struct diag *d)
{
    const struct sp_conf_api *api = &host_conf_api;
    sp_str s;
    int64_t i;
    double r;
    (void)d;
    assert_int_equal(api->get_str(c, "title", &s), SP_OK);
    assert_str(s, "Dogs");
    assert_int_equal(api->get_int(c, "colour", &i), SP_OK);
    assert_int_equal(i, 0);
    assert_int_equal(api->get_int(c, "wait", &i), SP_OK);
    assert_int_equal(i, 250);
    assert_int_equal(api->get_real(c, "share", &r), SP_OK);
    assert_true(r == 0.25);
    assert_int_equal(api->get_int(c, "loud", &i), SP_E_NONE);
    assert_int_equal(api->get_str(c, "file", &s), SP_E_NONE);
    assert_int_equal(api->get_str(c, "no such", &s), SP_E_ARG);
    assert_int_equal(api->get_int(c, "title", &i), SP_E_ARG);
    assert_int_equal(api->get_str(c, "limits", &s), SP_E_ARG);
    const struct sp_node *limits = api->get(c->node, "limits");
    assert_int_equal(api->type(limits), SP_NODE_MAP);
    assert_int_equal(api->count(limits), 2);
    assert_str(api->key_at(limits, 1), "names");
    assert_str(api->key_at(limits, 2), "");
    assert_int_equal(api->node_int(api->get(limits, "bytes"), SP_OPT_SIZE, &i), SP_OK);
    assert_int_equal(i, 2048);
    assert_int_equal(api->node_int(api->get(limits, "bytes"), SP_OPT_DURATION, &i), SP_E_ARG);
    assert_int_equal(api->node_int(api->get(limits, "none"), SP_OPT_SIZE, &i), SP_E_NONE);
    assert_int_equal(api->node_int(limits, 99, &i), SP_E_ARG);
    const struct sp_node *names = api->get(limits, "names");
    assert_int_equal(api->count(names), 2);
    assert_str(api->text(api->at(names, 1)), "b");
    assert_null(api->at(names, 2));
    assert_null(api->get(NULL, "x"));
    assert_int_equal(api->count(NULL), 0);
    assert_int_equal(api->type(NULL), SP_NODE_NULL);
    assert_str(api->text(NULL), "");
    assert_str(api->text(limits), "");
    char *path = api->path(c, api->get(c->node, "title"), SP_STR("sub/file"));
    assert_string_equal(path, "/etc/x/sub/file");
    free(path);
    path = api->path(c, NULL, SP_STR("/abs"));
    assert_string_equal(path, "/abs");
    free(path);
}

static void read_nothing(struct sp_conf *c, struct diag *d)
{
    sp_str s;
    int64_t i;
    (void)d;
    assert_null(c->node);
    assert_int_equal(host_conf_api.get_int(c, "colour", &i), SP_OK);
    assert_int_equal(i, 1);
    assert_int_equal(host_conf_api.get_str(c, "title", &s), SP_E_NONE);
}

static void make_errors(struct sp_conf *c, struct diag *d)
{
    const struct sp_conf_api *api = &host_conf_api;
    assert_int_equal(api->error(c, api->get(c->node, "title"), "no %s here", "dogs"), SP_E_ARG);
    api->warn(c, NULL, "beware");
    diag_sort(d);
    str told = diag_text(d);
    assert_str(told, "/etc/x/c.yaml:2:3: warning: with: good: beware\n"
                     "/etc/x/c.yaml:2:10: error: with.title: good: no dogs here\n");
    assert_int_equal(d->errors, 1);
    assert_int_equal(d->warnings, 1);
}

static void test_conf(void **state)
{
    (void)state;
    with_conf("with:\n  title: Dogs\n  colour: red\n  limits: { bytes: 2KB, names: [a, b] }\n",
              read_values);
    with_conf("use: good\n", read_nothing);
    with_conf("with:\n  title: x\n", make_errors);
}

/* Commands */

static void run(const char *plugin, const char *name, const str *args, unsigned n, int want,
                const char *out)
{
    struct text t;
    text_init(&t);
    int rc = module_command_run(&p->reg, str_z(plugin), str_z(name), args, n, &t);
    if (rc != want)
        print_error("%s %s: %d: %.*s\n", plugin, name, rc, STR_ARG(text_str(&t)));
    assert_int_equal(rc, want);
    assert_str(text_str(&t), out);
    text_fini(&t);
}

static void test_commands(void **state)
{
    (void)state;
    run("good", "echo", (str[]){STR("{\"a\":[1,2]}")}, 1, 0, "{\"a\":[1,2]}");
    run("good", "echo", (str[]){STR("{not json")}, 1, E_ARG,
        "the command 'good echo' failed: bad argument");
    run("good", "echo", (str[]){STR("")}, 1, E_TIMEOUT, "the command 'good echo' failed: timeout");
    run("good", "echo", NULL, 0, E_ARG, "give an argument");
    run("good", "none", NULL, 0, E_NONE, "the plugin 'good' has no command 'none'; it has: echo");
    run("bad", "echo", NULL, 0, E_NONE, "no plugin named 'bad' is loaded");
    assert_int_equal(host_command_api.define(m, "late", "", NULL), SP_E_PHASE);
    struct text t;
    text_init(&t);
    metrics_write(p->metrics, &t);
    assert_has(text_str(&t), "# TYPE sallyport_plugin_good_hits_total "
                             "counter\nsallyport_plugin_good_hits_total{kind=\"all\"} 2\n");
    text_fini(&t);
}

static void test_describe(void **state)
{
    (void)state;
    struct text t;
    text_init(&t);
    module_describe(m, &t, false);
    str s = text_str(&t);
    assert_true(str_starts(s, STR("good 1.2.3: A plugin of the tests\nfile: ")));
    assert_has(s, "guard: yes");
    assert_has(s, "hooks: REQUEST INTEGRATION\nprovides: integration:GOOD validator\noptions:\n");
    assert_has(s, "  title: string; required\n      The title.\n");
    assert_has(s, "  colour: one of red, green; default green\n");
    assert_has(s, "  token: string; default not shown\n");
    assert_has(s,
               "  limits: map\n      Limits.\n    bytes: size, 64KB, 1 to 1048576; default 64KB\n");
    assert_has(s, "    names: list of string\n");
    assert_has(s, "  rates: map of any key to number, 0 to 1\n");
    assert_has(s, "commands:\n  echo JSON\n");
    assert_has(s, "metrics:\n  sallyport_plugin_good_hits_total (counter; by kind)  Hits.\n");
    assert_true(str_find(s, STR("hush")) == s.n);
    text_fini(&t);
    text_init(&t);
    module_describe(m, &t, true);
    struct diag d;
    struct node_tree *tree = node_tree_new();
    diag_init(&d);
    struct node *root = node_read_json(tree, &d, "x", text_str(&t), NULL);
    assert_non_null(root);
    assert_str(node_getz(root, "name")->text, "good");
    assert_str(node_getz(root, "abi")->text, "0.1");
    assert_non_null(node_resolve(root, STR("/options/properties/limits/properties/bytes")));
    assert_str(node_resolve(root, STR("/commands/0/name"))->text, "echo");
    assert_str(node_resolve(root, STR("/metrics/0/labels/0"))->text, "kind");
    diag_fini(&d);
    node_tree_free(tree);
    text_fini(&t);
}

static void test_thread_calls(void **state)
{
    (void)state;
    struct loop loop = {.magic = LOOP_MAGIC, .id = 1};
    assert_int_equal(module_thread_start(m, &loop, 4), 0);
    assert_int_equal(module_thread_start(m, &loop, 4), 0);
    assert_non_null(m->thread_state[1]);
    loop.id = 3;
    assert_int_equal(module_thread_start(m, &loop, 4), E_LIMIT);
    assert_false(m->thread_started[3]);
    module_thread_stop(m, &loop);
    loop.id = 0;
    assert_int_equal(module_thread_start(m, &loop, 4), E_ARG);
    loop.id = 1;
    module_thread_stop(m, &loop);
    module_thread_stop(m, &loop);
    assert_null(m->thread_state[1]);
}

static void test_variables(void **state)
{
    (void)state;
    struct module_registry reg;
    char name[32];
    assert_int_equal(module_registry_init(&reg, NULL, NULL, NULL, ""), 0);
    assert_int_equal(host_variable_builtin(&reg, "requestId"), 1);
    assert_int_equal(host_variable_builtin(&reg, "identity.sourceIp"), 2);
    assert_int_equal(host_variable_id(&reg, STR("authorizer.claims.cognito:username")), 3);
    assert_int_equal(host_variable_id(&reg, STR("requestId")), 1);
    assert_int_equal(host_variable_lookup(&reg, STR("identity.sourceIp")), 2);
    assert_int_equal(host_variable_lookup(&reg, STR("identity.sourceip")), 0);
    assert_str(host_variable_name(&reg, 3), "authorizer.claims.cognito:username");
    assert_str(host_variable_name(&reg, 4), "");
    assert_str(host_variable_name(&reg, UINT32_MAX), "");
    static const char *const bad[] = {"", "a b", "a$b", "a{b}", "a\nb", "a,b", "\xc3\xa4"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(host_variable_id(&reg, str_z(bad[i])), 0);
    for (unsigned i = 4; i <= HOST_VARIABLES_MAX; i++) {
        str s = str_n(name, (size_t)snprintf(name, sizeof name, "v.%u", i));
        assert_int_equal(host_variable_id(&reg, s), i);
    }
    assert_int_equal(host_variable_id(&reg, STR("one.too.many")), 0);
    assert_int_equal(host_variable_lookup(&reg, STR("v.1000")), 1000);
    assert_int_equal(host_variable_count(&reg), HOST_VARIABLES_MAX);
    module_registry_fini(&reg);
}

static unsigned released;
static void release(void *arg)
{
    released += *(unsigned *)arg;
}

static void test_buffers(void **state)
{
    (void)state;
    const struct sp_buffer_api *api = &host_buffer_api;
    size_t n = 0;
    struct sp_buffer *b = api->create(10);
    assert_non_null(b);
    memcpy(api->data(b, &n), "0123456789", 10);
    assert_int_equal(n, 10);
    api->ref(b);
    api->unref(b);
    assert_memory_equal(api->data(b, NULL), "0123456789", 10);
    api->unref(b);
    unsigned by = 3;
    b = api->wrap("abc", 3, release, &by);
    api->ref(b);
    api->unref(b);
    assert_int_equal(released, 0);
    assert_memory_equal(api->data(b, &n), "abc", 3);
    api->unref(b);
    assert_int_equal(released, 3);
    assert_null(api->create(SIZE_MAX));
    assert_null(api->wrap(NULL, 4, NULL, NULL));
    assert_non_null(b = api->create(0));
    api->data(b, &n);
    assert_int_equal(n, 0);
    api->unref(b);
}

static sp_status define(const char *id, const char *url, sp_str *out)
{
    struct sp_upstream_def d = {.size = sizeof d, .id = str_z(id), .url = str_z(url)};
    return host_upstream_api.define(m, &d, out);
}

static void test_upstreams(void **state)
{
    (void)state;
    sp_str a, b;
    unsigned bad = 0;
    assert_int_equal(define("issuer", "http://127.0.0.1:9", &a), SP_E_DENIED);
    assert_int_equal(
        host_upstream_policy(&p->reg, (str[]){STR("ok.example"), STR("no/slash")}, 2, &bad), E_ARG);
    assert_int_equal(bad, 1);
    const str allow[] = {STR("127.0.0.1"), STR("*.example.org:80"), STR("api.example.com:8443"),
                         STR("[::1]:9")};
    assert_int_equal(host_upstream_policy(&p->reg, allow, 4, NULL), 0);
    assert_int_equal(define("issuer", "http://127.0.0.1:9/.well-known/jwks.json", &a), SP_OK);
    assert_str(a, "good.issuer");
    assert_int_equal(define("same", "http://127.0.0.1:9", &b), SP_OK);
    assert_str(b, "good.issuer");
    assert_int_equal(define("wide", "http://a.b.Example.org", &b), SP_OK);
    assert_str(b, "good.wide");
    assert_int_equal(define("six", "http://[::1]:9", &b), SP_OK);
    static const struct {
        const char *url;
        sp_status want;
    } urls[] = {{"http://example.org", SP_E_DENIED},
                {"http://a.example.org:81", SP_E_DENIED},
                {"http://xexample.org", SP_E_DENIED},
                {"http://10.0.0.1", SP_E_DENIED},
                {"http://api.example.com", SP_E_DENIED},
                {"https://api.example.com", SP_E_DENIED},
                {"ftp://127.0.0.1", SP_E_UNSUP},
                {"127.0.0.1:9", SP_E_ARG},
                {"http://", SP_E_ARG},
                {"http://u:p@127.0.0.1", SP_E_ARG},
                {"http://127.0.0.1:0", SP_E_ARG},
                {"http://127.0.0.1:x", SP_E_ARG},
                {"http://127.0.0.1:65536", SP_E_ARG},
                {"http://a b", SP_E_ARG},
                {"", SP_E_ARG}};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        sp_status rc = define("x", urls[i].url, &b);
        if (rc != urls[i].want)
            print_error("%s: %d, want %d\n", urls[i].url, rc, urls[i].want);
        assert_int_equal(rc, urls[i].want);
    }
    struct sp_upstream_def tls = {
        .size = sizeof tls, .id = STR("tls"), .url = STR("https://api.example.com:8443/x")};
    assert_int_equal(host_upstream_api.define(m, &tls, &b), SP_OK);
    assert_str(b, "good.tls");
    tls.id = STR("tls2");
    assert_int_equal(host_upstream_api.define(m, &tls, &b), SP_OK);
    assert_str(b, "good.tls"); /* the same definition */
    tls.server_name = STR("other.example.com");
    assert_int_equal(host_upstream_api.define(m, &tls, &b), SP_OK);
    assert_str(b, "good.tls2");
    tls.server_name = STR("a b");
    assert_int_equal(host_upstream_api.define(m, &tls, &b), SP_E_ARG);
    tls.server_name = STR("");
    tls.ca_file = STR("/no/such/file.pem");
    assert_int_equal(host_upstream_api.define(m, &tls, &b), SP_E_IO);
    tls.ca_file = STR("/dev/null");
    assert_int_equal(host_upstream_api.define(m, &tls, &b), SP_E_ARG);
    assert_int_equal(define("UPPER", "http://127.0.0.1:9", &b), SP_E_ARG);
    assert_int_equal(define("", "http://127.0.0.1:9", &b), SP_E_ARG);

    /* An id keeps its text when it comes to stand for another URL. */
    struct upstream *old = upstream_find(p->ups, STR("good.issuer"));
    assert_int_equal(define("issuer", "http://127.0.0.1:10", &b), SP_OK);
    assert_ptr_equal(a.p, b.p);
    struct upstream *now = upstream_find(p->ups, a);
    assert_ptr_not_equal(old, now);
    assert_str(upstream_authority(now), "127.0.0.1:10");
    upstream_unref(old);
    upstream_unref(now);
    assert_int_equal(host_upstream_policy(&p->reg, NULL, 0, NULL), 0);
    assert_int_equal(define("later", "http://127.0.0.1:11", &b), SP_E_DENIED);
}

static void test_core(void **state)
{
    (void)state;
    unsigned char a[300] = {0}, b[300] = {0};
    assert_int_equal(host_core_api.random(a, sizeof a), SP_OK);
    assert_int_equal(host_core_api.random(b, sizeof b), SP_OK);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(host_core_api.random(NULL, 1), SP_E_ARG);
    uint64_t t = host_core_api.now_ms();
    assert_true(host_core_api.now_ms() >= t);
    assert_true(host_core_api.wall_ms() > UINT64_C(1500000000000));
    assert_int_equal(host_core_api.header_id(m, SP_STR("x-late")), 0);
    assert_int_equal(host_core_api.variable_id(m, SP_STR("late")), 0);
    m->in_load = true;
    assert_int_not_equal(host_core_api.header_id(m, SP_STR("x-in-time")), 0);
    assert_int_equal(host_core_api.header_id(m, SP_STR("not a name")), 0);
    assert_int_not_equal(host_core_api.variable_id(m, SP_STR("in.time")), 0);
    m->in_load = false;
    host_thread_enter(p->metrics, 3);
    assert_int_equal(host_core_api.thread_id(), 2);
    host_thread_enter(p->metrics, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loaded),    cmocka_unit_test(test_options),
        cmocka_unit_test(test_conf),      cmocka_unit_test(test_commands),
        cmocka_unit_test(test_describe),  cmocka_unit_test(test_thread_calls),
        cmocka_unit_test(test_variables), cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_upstreams), cmocka_unit_test(test_core),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
