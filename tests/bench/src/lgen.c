/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement-only HTTP/1.1 load generator: one thread, epoll, fixed number of requests.
 *
 *   lgen -p PORT [-c conns] [-w warmup] [-n requests] [-r rate/s] [-T maxsec] [-S] [-K]
 *        [-m METHOD] [-u PATH | -U FILE] [-H 'Name: value']... [-V FILE] [-b FILE | -z bytes]
 *        [-e status] [-B expected body bytes] [-g]
 *
 *   -U FILE  one path per line, taken in order, round and round      -V FILE  the same for one
 * header line -S       TLS 1.3 (no verification, no resumption)                -K       a new
 * connection per request (closed by the client after the answer) -R       the warm-up at a fixed
 * rate -r       fixed rate: latency counts from the moment a request was due (no coordinated
 * omission)
 *
 * With -g it is driven by the runner: after the warm-up it prints READY; for every line "N" (or "N
 * RATE") on stdin it sends exactly N requests over the same connections and prints one line of
 * JSON; it ends at end of input. So the runner can read the CPU clocks of the proxy before and
 * after each slice, and slices of several peers can be interleaved over warm connections. Without
 * -g it runs -n requests once. Every answer is parsed (status, Content-Length or chunked, body
 * length). */
#include "lgen.h"

#include <sys/prctl.h>

int ep, port, conns = 64, tls, perconn, expect = 200, pending;
long long body_expect = -1;
double rate;
SSL_CTX *ctx;
struct conn *cs;
int *idleq;
unsigned iq_h, iq_t, iq_cap;
char **reqs;
size_t *reql, nreq;
struct counts g;

static int gate;
static long long warm, total;
static double wrate, maxsec = 120;
static const char *method = "GET", *path = "/", *ufile, *vfile, *bfile;
static size_t bodysz;
static char hdrs[8192];

static void reset_counts(void)
{
    memset(&g, 0, sizeof g);
    hist_reset();
}

static struct conn *free_conn(int *at)
{
    for (int k = 0; k < conns; k++)
        if (cs[k].st == FREE) {
            *at = k;
            return &cs[k];
        }
    return NULL;
}

/* Starts what is due at a fixed rate; *ts is how long to wait for the next one. */
static void start_due(uint64_t t0, double r, struct timespec *ts)
{
    uint64_t t = now_ns();

    *ts = (struct timespec){1, 0};
    while (g.started < g.goal) {
        uint64_t due = t0 + (uint64_t)((double)g.started * 1e9 / r);
        int i;

        if (due > t) {
            ts->tv_sec = (time_t)((due - t) / 1000000000ull);
            ts->tv_nsec = (long)((due - t) % 1000000000ull);
            return;
        }
        if (perconn) {
            if (!free_conn(&i))
                return;
            g.started++;
            conn_open(i);
            cs[i].t0 = due;
            continue;
        }
        i = iq_pop();
        if (i < 0)
            return;
        g.started++;
        start_req(i, due);
    }
}

/* Runs one phase of `n` requests; returns elapsed seconds. */
static double phase(long long n)
{
    uint64_t t0 = now_ns(), tend = t0 + (uint64_t)(maxsec * 1e9);

    g.goal = n;
    for (int i; perconn && !rate && g.started < g.goal && free_conn(&i);) {
        g.started++;
        conn_open(i);
        cs[i].t0 = now_ns();
    }
    for (int k = (int)(iq_t - iq_h); !perconn && !rate && k > 0 && g.started < g.goal; k--) {
        int i = iq_pop();
        g.started++;
        start_req(i, now_ns());
    }
    while (g.done < g.goal) {
        struct epoll_event ev[512];
        struct timespec ts = {1, 0};

        if (rate)
            start_due(t0, rate, &ts);
        if (g.done >= g.goal)
            break;
        int k = epoll_pwait2(ep, ev, 512, &ts, NULL);
        for (int j = 0; j < k; j++)
            on_event((int)ev[j].data.u32, ev[j].events);
        if ((k <= 0 || (g.done & 1023) == 0) && now_ns() > tend) {
            fprintf(stderr, "lgen: time limit, %lld of %lld done\n", g.done, g.goal);
            break;
        }
    }
    return (double)(now_ns() - t0) / 1e9;
}

static char **lines(const char *file, size_t *n)
{
    FILE *f = fopen(file, "r");
    if (!f)
        die(file);
    char **v = NULL, *l = NULL;
    size_t cap = 0, k = 0, m = 0;
    ssize_t r;
    while ((r = getline(&l, &cap, f)) > 0) {
        while (r && (l[r - 1] == '\n' || l[r - 1] == '\r'))
            l[--r] = 0;
        if (!r)
            continue;
        if (k == m) {
            m = m ? m * 2 : 1024;
            v = realloc(v, m * sizeof *v);
        }
        v[k++] = strdup(l);
    }
    fclose(f);
    free(l);
    *n = k;
    if (!k) {
        fprintf(stderr, "%s: empty\n", file);
        exit(2);
    }
    return v;
}

static void report(double sec)
{
    long long open = 0;

    for (int i = 0; i < conns; i++)
        if (cs[i].st >= IDLE)
            open++;
    printf("{\"n\":%lld,\"sec\":%.6f,\"rps\":%.1f,\"bytes\":%llu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":"
           "%.1f,\"p999\":%.1f,\"max\":%.1f,\"mean\":%.1f,"
           "\"s2xx\":%lld,\"s3xx\":%lld,\"s4xx\":%lld,\"s5xx\":%lld,\"bad_status\":%lld,\"bad_"
           "body\":%lld,\"e_conn\":%lld,\"e_closed0\":%lld,"
           "\"e_partial\":%lld,\"e_tls\":%lld,\"e_proto\":%lld,\"idle_closed\":%lld,\"reconnects\":"
           "%lld,\"open\":%lld}\n",
           g.done, sec, sec > 0 ? (double)g.done / sec : 0, g.bytes, hist_pct(.5) / 1e3,
           hist_pct(.9) / 1e3, hist_pct(.99) / 1e3, hist_pct(.999) / 1e3, (double)hist_max() / 1e3,
           hist_mean() / 1e3, g.st2, g.st3, g.st4, g.st5, g.bad_status, g.bad_body, g.e_conn,
           g.e_closed0, g.e_partial, g.e_tls, g.e_proto, g.idle_closed, g.reconnects, open);
}

static char *read_body(void)
{
    char *body = NULL;

    if (bfile) {
        FILE *f = fopen(bfile, "r");
        body = malloc(16 << 20);
        if (!f || !body)
            die(bfile);
        bodysz = fread(body, 1, 16 << 20, f);
        fclose(f);
    } else if (bodysz) {
        body = malloc(bodysz);
        if (!body)
            die("malloc");
        memset(body, 'x', bodysz);
    }
    return body;
}

static void make_request(size_t i, const char *p, const char *v, const char *body)
{
    size_t cap = strlen(p) + strlen(hdrs) + (v ? strlen(v) : 0) + 512 + bodysz;
    char *b = malloc(cap), cl[64] = "";

    if (!b)
        die("malloc");
    if (bodysz || !strcmp(method, "POST"))
        snprintf(cl, sizeof cl, "Content-Length: %zu\r\n", bodysz);
    int n = snprintf(
        b, cap,
        "%s %s HTTP/1.1\r\nHost: bench.local\r\nUser-Agent: lgen\r\nAccept: */*\r\n%s%s%s%s\r\n",
        method, p, hdrs, v ? v : "", v ? "\r\n" : "", cl);
    if (bodysz)
        memcpy(b + n, body, bodysz);
    reqs[i] = b;
    reql[i] = (size_t)n + bodysz;
}

static void make_requests(void)
{
    size_t nu = 1, nv = 0;
    char *body = read_body();
    char **us = ufile ? lines(ufile, &nu) : NULL, **vs = vfile ? lines(vfile, &nv) : NULL;

    nreq = nu > nv ? nu : nv;
    if (nv && nu > 1 && nreq % nu)
        nreq = nreq / nu * nu;
    reqs = malloc(nreq * sizeof *reqs);
    reql = malloc(nreq * sizeof *reql);
    if (!reqs || !reql)
        die("malloc");
    for (size_t i = 0; i < nreq; i++)
        make_request(i, us ? us[i % nu] : path, vs ? vs[i % nv] : NULL, body);
}

static void tls_init(void)
{
    ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        die("SSL_CTX_new");
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(ctx, 1);
}

static void conns_init(void)
{
    ep = epoll_create1(EPOLL_CLOEXEC);
    cs = calloc((size_t)conns, sizeof *cs);
    iq_cap = 1;
    while (iq_cap < (unsigned)conns * 2 + 2)
        iq_cap *= 2;
    idleq = calloc(iq_cap, sizeof *idleq);
    if (ep < 0 || !cs || !idleq)
        die("connections");
    for (int i = 0; i < conns; i++)
        cs[i].fd = -1;
}

/* Opens everything before any request: at most 128 connects in flight. */
static void open_all(void)
{
    uint64_t t0 = now_ns();
    int next = 0;

    while (next < conns || pending) {
        struct epoll_event ev[512];

        while (next < conns && pending < 128)
            conn_open(next++);
        int k = epoll_wait(ep, ev, 512, 100);
        for (int j = 0; j < k; j++)
            on_event((int)ev[j].data.u32, ev[j].events);
        if (now_ns() - t0 > (uint64_t)(maxsec * 1e9)) {
            fprintf(stderr, "lgen: cannot open the connections\n");
            exit(1);
        }
    }
}

static void add_header(const char *h)
{
    size_t n = strlen(hdrs);

    if (snprintf(hdrs + n, sizeof hdrs - n, "%s\r\n", h) >= (int)(sizeof hdrs - n)) {
        fprintf(stderr, "lgen: too many headers\n");
        exit(2);
    }
}

static int options(int argc, char **argv)
{
    for (int o; (o = getopt(argc, argv, "p:c:w:n:r:R:T:SKm:u:U:H:V:b:z:e:B:g")) != -1;) {
        switch (o) {
        case 'p':
            port = (int)number(optarg);
            break;
        case 'c':
            conns = (int)number(optarg);
            break;
        case 'w':
            warm = number(optarg);
            break;
        case 'n':
            total = number(optarg);
            break;
        case 'R':
            wrate = strtod(optarg, NULL);
            break;
        case 'r':
            rate = strtod(optarg, NULL);
            break;
        case 'T':
            maxsec = strtod(optarg, NULL);
            break;
        case 'S':
            tls = 1;
            break;
        case 'K':
            perconn = 1;
            break;
        case 'm':
            method = optarg;
            break;
        case 'u':
            path = optarg;
            break;
        case 'U':
            ufile = optarg;
            break;
        case 'V':
            vfile = optarg;
            break;
        case 'H':
            add_header(optarg);
            break;
        case 'b':
            bfile = optarg;
            break;
        case 'z':
            bodysz = (size_t)number(optarg);
            break;
        case 'e':
            expect = (int)number(optarg);
            break;
        case 'B':
            body_expect = number(optarg);
            break;
        case 'g':
            gate = 1;
            break;
        default:
            return -1;
        }
    }
    return port > 0 && conns > 0 ? 0 : -1;
}

/* One report per line of input. */
static void gated(void)
{
    char line[128];

    while (fgets(line, sizeof line, stdin)) {
        long long n = number(line);
        char *sp = strchr(line, ' ');

        if (sp)
            rate = strtod(sp + 1, NULL);
        reset_counts();
        report(n > 0 ? phase(n) : 0);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (options(argc, argv) != 0) {
        fprintf(stderr, "usage: lgen -p PORT [-c N] [-w N] [-n N] ...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_nofile();
    prctl(PR_SET_TIMERSLACK, 1);
    make_requests();
    if (tls)
        tls_init();
    conns_init();
    double wanted = rate;
    rate = 0;
    if (!perconn)
        open_all();
    rate = wrate;
    if (warm)
        phase(warm);
    rate = wanted;
    long long bad = g.e_closed0 + g.e_partial + g.bad_status, done = g.done, body = g.bad_body;
    reset_counts();
    if (!gate) {
        report(total ? phase(total) : 0);
        return 0;
    }
    printf("READY %lld %lld %lld\n", done, bad, body);
    fflush(stdout);
    gated();
    return 0;
}
