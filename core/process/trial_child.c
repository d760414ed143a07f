/* SPDX-License-Identifier: Apache-2.0 */
/* The trial's own side: loads and compiles the conf, says what it compiles before it does, and
 * answers. */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "process/answer.h"
#include "process/local.h"
#include "process/trial.h"

#define ANSWER_FD 3
#define CRUMB_FD  4

static void write_all(int fd, str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody listens any more */
        s = str_drop(s, (size_t)n);
    }
}

static void leave_crumb(const char *plugin, const char *place)
{
    char line[512];
    if (plugin)
        snprintf(line, sizeof line - 1, "%s\t%s", plugin, place ? place : "the conf");
    else
        line[0] = '\0';
    size_t n = strlen(line);
    line[n] = '\n';
    write_all(CRUMB_FD, str_n(line, n + 1));
}

static void describe(struct text *t, const struct cli *cli, const struct local *l)
{
    const struct gateway *g = snapshot_gateway(l->snap);
    answer_open(t);
    json_kv(t, "file", str_z(cli->conf));
    json_kvi(t, "apis", g->api_count);
    json_kvi(t, "routes", snapshot_routes(l->snap));
    json_kvi(t, "plugins", g->plugin_count);
    json_kvi(t, "listeners", g->listener_count);
    json_kvi(t, "drain_ms", l->drain_ms);
    json_key(t, "log");
    json_open(t, '{');
    json_kv(t, "level", l->log_level);
    json_kv(t, "format", l->log_format);
    json_kv(t, "to", l->log_to);
    json_close(t, '}');
    answer_warnings(t, &l->diag);
    json_close(t, '}');
}

int trial_main(const struct cli *cli)
{
    struct local l;
    struct text t;
    char count[40];
    if (fcntl(ANSWER_FD, F_SETFD, FD_CLOEXEC) != 0 || fcntl(CRUMB_FD, F_SETFD, FD_CLOEXEC) != 0) {
        fprintf(stderr, "sallyport: --trial is for the gateway itself; use `sallyport check`\n");
        return 2;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_WARN);
    text_init(&t);
    int rc = local_load(&l, cli->conf, leave_crumb);
    if (rc == 0)
        describe(&t, cli, &l);
    else if (rc == E_NOMEM)
        answer_fail(&t, &l.diag, "out of memory");
    else
        answer_fail(&t, &l.diag, "%s: %s", cli->conf, local_count(&l.diag, count, sizeof count));
    local_fini(&l);
    write_all(ANSWER_FD, text_str(&t));
    text_fini(&t);
    return rc == 0 ? 0 : 1;
}
