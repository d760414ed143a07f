/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the log: the form of lines, cutting, levels, reopening, many threads, a full queue,
 * fork. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log_line.h"
#include "base/node.h"

static char folder[64], path[96];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/sallyport-log-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/log", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_stop();
    log_set_level(LOG_INFO);
    unlink(path);
    return rmdir(folder);
}

/* What a file holds. Owner: the caller (free). */
static str slurp(const char *name)
{
    size_t n = 0, cap = 16 << 20;
    char *p = malloc(cap);
    FILE *f = fopen(name, "r");
    assert_non_null(p);
    assert_non_null(f);
    n = fread(p, 1, cap, f);
    fclose(f);
    return str_n(p, n);
}

static void start(enum log_format format, enum log_level level)
{
    struct log_conf c = {.level = level, .format = format, .to = path, .name = "worker"};
    assert_int_equal(log_start(&c), 0);
}

static void stamps(void **state)
{
    (void)state;
    static const struct {
        int64_t secs;
        long ns;
        const char *want;
    } table[] = {
        {0, 0, "1970-01-01T00:00:00.000Z"},
        {951782399, 999999999, "2000-02-28T23:59:59.999Z"},
        {951782400, 1000000, "2000-02-29T00:00:00.001Z"},
        {951868800, 0, "2000-03-01T00:00:00.000Z"},
        {1767323045, 678000000, "2026-01-02T03:04:05.678Z"},
        {4107542399, 0, "2100-02-28T23:59:59.000Z"},
        {4107542400, 0, "2100-03-01T00:00:00.000Z"},
        {-5, 0, "1970-01-01T00:00:00.000Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char out[24];
        log_stamp(out, (struct timespec){.tv_sec = table[i].secs, .tv_nsec = table[i].ns});
        assert_str(str_n(out, 24), table[i].want);
    }
}

static str compose(char *room, enum log_format format, str msg, const char *key, str value)
{
    struct log_line l;
    log_line_begin(&l, room, format, (struct timespec){.tv_sec = 1767323045, .tv_nsec = 678000000},
                   LOG_INFO, "worker");
    log_line_message(&l, msg, false);
    if (key)
        log_line_field(&l, key, value);
    log_line_end(&l);
    assert_true(l.n <= LOG_LINE_MAX);
    return str_n(room, l.n);
}

static void text_form(void **state)
{
    (void)state;
    static const struct {
        str msg;
        const char *key;
        str value;
        const char *want;
    } table[] = {
        {{"hello", 5}, NULL, {NULL, 0}, "hello"},
        {{"hello", 5}, "k", {"v", 1}, "hello k=v"},
        {{"hello", 5}, "k", {"a b", 3}, "hello k=\"a b\""},
        {{"hello", 5}, "k", {"", 0}, "hello k=\"\""},
        {{"hello", 5}, "k", {"a=\"b\\", 5}, "hello k=\"a=\\\"b\\\\\""},
        {{"a\nb\r\t\x1b[0m\0", 10}, NULL, {NULL, 0}, "a\\nb\\r\\t\\x1b[0m\\x00"},
        {{"\xc3\xa9\xff\xc2\x9b\xe2\x80\xa8", 8},
         NULL,
         {NULL, 0},
         "\xc3\xa9\\xff\\xc2\\x9b\\xe2\\x80\\xa8"},
        {{"x", 1}, "k", {"a\nlevel=error", 13}, "x k=\"a\\nlevel=error\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char room[LOG_LINE_MAX], want[256];
        snprintf(want, sizeof want, "2026-01-02T03:04:05.678Z info worker: %s\n", table[i].want);
        assert_str(compose(room, LOG_TEXT, table[i].msg, table[i].key, table[i].value), want);
    }
}

static void json_form(void **state)
{
    (void)state;
    char room[LOG_LINE_MAX];
    assert_str(
        compose(room, LOG_JSON, STR("say \"hi\"\n\x01\xff\xc2\x9b\\"), "k", STR("a b")),
        "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"process\":\"worker\","
        "\"message\":\"say \\\"hi\\\"\\n\\u0001\xef\xbf\xbd\xef\xbf\xbd\\\\\",\"k\":\"a b\"}\n");
}

/* Whatever is logged, a JSON line is one whole JSON object, and a cut shows. */
static void cut_lines_stay_whole(void **state)
{
    (void)state;
    static const char *const fills[] = {
        "a", "\n", "\"", "\xc3\xa9", "\x01", "\xff", "\xf0\x9f\x98\x80"};
    for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
        str fill = str_z(fills[f]);
        char msg[1200];
        for (size_t len = 880; len < 1000; len++) {
            for (size_t i = 0; i + fill.n <= len; i += fill.n)
                memcpy(msg + i, fill.p, fill.n);
            for (int where = 0; where < 2; where++) { /* in the message, in a field */
                char room[LOG_LINE_MAX];
                str body = str_n(msg, len - len % fill.n);
                str line = where ? compose(room, LOG_JSON, STR("m"), "key", body)
                                 : compose(room, LOG_JSON, body, "key", STR("v"));
                struct node_tree *t = node_tree_new();
                struct diag d;
                diag_init(&d);
                struct node *root = node_read_json(t, &d, "line", line, NULL);
                if (!root)
                    fail_msg("%s%.*s", diag_text(&d).p, STR_ARG(line));
                bool whole = str_find(line, STR("...")) == line.n && node_getz(root, "key");
                assert_int_equal(node_getz(root, "cut") != NULL, !whole);
                diag_fini(&d);
                node_tree_free(t);
                line = compose(room, LOG_TEXT, body, "key", STR("v"));
                assert_int_equal(str_chr(line, '\n'), line.n - 1);
                if (!str_ends(line, STR(" key=v\n")) && !str_ends(line, STR("...\n")))
                    fail_msg("%.*s", STR_ARG(line));
            }
        }
    }
    char room[LOG_LINE_MAX], huge[5000];
    memset(huge, 'x', sizeof huge);
    str line = compose(room, LOG_TEXT, str_n(huge, sizeof huge), "k", STR("v"));
    assert_true(str_ends(line, STR("x...\n")));
    line = compose(room, LOG_JSON, STR("m"), "k", str_n(huge, sizeof huge));
    assert_true(str_ends(line, STR("x...\",\"cut\":true}\n")));
    huge[300] = '\0';
    line = compose(room, LOG_JSON, STR("m"), huge,
                   STR("v")); /* a key that could not stay whole is left out */
    assert_true(str_ends(line, STR("\"message\":\"m\",\"cut\":true}\n")));
}

static void levels(void **state)
{
    (void)state;
    assert_int_equal(log_level_of(STR("warn")), LOG_WARN);
    assert_int_equal(log_level_of(STR("WARN")), E_ARG);
    assert_int_equal(log_level_of(STR_NONE), E_ARG);
    assert_string_equal(log_level_name(LOG_DEBUG), "debug");
    start(LOG_TEXT, LOG_WARN);
    assert_true(log_on(LOG_ERROR));
    assert_false(log_on(LOG_INFO));
    log_error("an error %d", 1);
    log_warn("a warning");
    log_info("not shown");
    log_debug("not shown");
    log_set_level(LOG_DEBUG);
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_debug("a detail");
    log_kv(LOG_INFO, "with fields", "a", "1", "b", "x y", NULL);
    log_kv(LOG_INFO, "bare", NULL);
    log_stop();
    str s = slurp(path);
    assert_has(s, " error worker: an error 1\n");
    assert_has(s, " warn worker: a warning\n");
    assert_has(s, " debug worker: a detail\n");
    assert_has(s, " info worker: with fields a=1 b=\"x y\"\n");
    assert_has(s, " info worker: bare\n");
    assert_int_equal(str_find(s, STR("not shown")), s.n);
    free((void *)(uintptr_t)s.p);
}

static void starting_and_reopening(void **state)
{
    (void)state;
    char moved[128], other[128], missing[128];
    struct stat st;
    snprintf(moved, sizeof moved, "%s.1", path);
    snprintf(other, sizeof other, "%s.2", path);
    snprintf(missing, sizeof missing, "%s/no/log", folder);
    struct log_conf bad = {.level = LOG_INFO, .to = missing, .name = "w"},
                    good = {.level = LOG_INFO, .to = other};
    assert_int_equal(log_start(&bad), E_IO);
    assert_int_equal(log_reopen(), E_NONE);
    assert_int_equal(log_reconf(&good), E_NONE);
    log_stop(); /* not started: no harm */
    start(LOG_TEXT, LOG_INFO);
    assert_int_equal(log_start(&good), E_EXISTS);
    log_info("first");
    while (stat(path, &st) != 0 || st.st_size == 0)
        usleep(1000);
    assert_int_equal(st.st_mode & 0777 & ~0640, 0);
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(log_reopen(), 0);
    log_info("second");
    assert_int_equal(log_reconf(&bad), E_IO); /* the old one stays */
    while (stat(path, &st) != 0 || st.st_size == 0)
        usleep(1000);
    good.format = LOG_JSON;
    assert_int_equal(log_reconf(&good), 0);
    log_info("third");
    log_stop();
    str s = slurp(moved), s2 = slurp(path), s3 = slurp(other);
    assert_has(s, "worker: first\n");
    assert_has(s2, "worker: second\n");
    assert_true(str_starts(s3, STR("{\"time\":\"20")));
    assert_has(s3, "\"level\":\"info\",\"process\":\"worker\",\"message\":\"third\"}\n");
    free((void *)(uintptr_t)s.p);
    free((void *)(uintptr_t)s2.p);
    free((void *)(uintptr_t)s3.p);
    unlink(moved);
    unlink(other);
}

enum { THREADS = 4, LINES = 2000 };

static void *chatter(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        log_info("thread %d line %d .", (int)(intptr_t)arg, i);
        if (i % 50 == 0)
            usleep(200);
    }
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    uint64_t before = log_dropped(), lines = 0;
    int next[THREADS] = {0};
    start(LOG_TEXT, LOG_INFO);
    for (intptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, chatter, (void *)i), 0);
    assert_int_equal(log_reopen(), 0); /* in the middle of it */
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    log_stop();
    str s = slurp(path), rest = s;
    while (rest.p) {
        str line = str_cut(&rest, '\n');
        int thread, i;
        size_t at = str_find(line, STR("thread "));
        if (at == line.n)
            continue; /* the last piece, or a report of drops */
        assert_true(str_ends(line, STR(" .")));
        assert_int_equal(sscanf(line.p + at, "thread %d line %d .", &thread, &i), 2);
        assert_true(i >= next[thread]); /* a thread's lines keep their order */
        next[thread] = i + 1;
        lines++;
    }
    assert_int_equal(lines + (log_dropped() - before), THREADS * LINES);
    free((void *)(uintptr_t)s.p);
}

/* The writer blocks in a full pipe: callers do not, lines are dropped and counted, and told
 * afterwards. */
static void full_queue(void **state)
{
    (void)state;
    uint64_t before = log_dropped();
    char fifo[128], sink[4096];
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    int reader = open(fifo, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    struct log_conf c = {.level = LOG_INFO, .format = LOG_TEXT, .to = fifo, .name = "worker"};
    assert_int_equal(log_start(&c), 0);
    for (int i = 0; i < 20000; i++)
        log_info("line %d %0100d", i, 0);
    assert_true(log_dropped() > before);
    str tail = STR_NONE;
    char *all = malloc(32 << 20);
    size_t n = 0;
    assert_non_null(all);
    for (int quiet = 0; quiet < 200; quiet++) { /* drain what comes */
        ssize_t got = read(reader, sink, sizeof sink);
        if (got <= 0) {
            usleep(2000);
            if (n && str_find(str_n(all, n), STR("log lines were lost")) < n)
                break;
            continue;
        }
        quiet = 0;
        memcpy(all + n, sink, (size_t)got);
        n += (size_t)got;
    }
    tail = str_n(all, n);
    assert_has(tail, " warn worker: ");
    assert_has(tail, " log lines were lost\n");
    free(all);
    log_stop();
    close(reader);
    unlink(fifo);
}

static void straight_to_stderr(void **state)
{
    (void)state;
    int pipes[2], kept = dup(2);
    char out[4096];
    assert_int_equal(pipe(pipes), 0);
    dup2(pipes[1], 2);
    log_info("before the start");
    start(LOG_JSON, LOG_INFO);
    log_info("in the file");
    errno = 77;
    log_info("keeps errno");
    int kept_errno = errno;
    pid_t child = fork();
    if (child == 0) { /* no writer here */
        log_info("from the child");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    log_stop();
    log_info("behind the end");
    dup2(kept, 2);
    close(kept);
    close(pipes[1]);
    ssize_t n = read(pipes[0], out, sizeof out);
    close(pipes[0]);
    assert_true(n > 0);
    str s = str_n(out, (size_t)n);
    assert_int_equal(kept_errno, 77);
    assert_has(s, " info worker: from the child\n"); /* text form, whatever the file's is */
    assert_has(s, ": before the start\n");
    assert_has(s, ": behind the end\n");
    assert_int_equal(str_find(s, STR("in the file")), s.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps),
        cmocka_unit_test(text_form),
        cmocka_unit_test(json_form),
        cmocka_unit_test(cut_lines_stay_whole),
        cmocka_unit_test_setup_teardown(levels, setup, teardown),
        cmocka_unit_test_setup_teardown(starting_and_reopening, setup, teardown),
        cmocka_unit_test_setup_teardown(many_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(full_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(straight_to_stderr, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
