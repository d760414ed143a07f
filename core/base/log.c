/* SPDX-License-Identifier: Apache-2.0 */
/* Log of the program: any thread composes its line in a slot of a bounded ring, one thread writes
 * the slots out.
 *
 * The ring is Vyukov's bounded queue: a slot's sequence says whose turn it is. It is kept less the
 * slot's index, so that a new ring is all zeros, and costs no memory before lines are in it. A
 * writer that sleeps is woken by the first line behind its back; `sleeping` and the slots are
 * sequentially consistent, so that no line waits unseen. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/log_line.h"

#define RING     4096u /* a power of two */
#define BATCH    65536u
#define PATH_LEN 4096u
#define NAME_LEN 32u

struct log_slot {
    _Atomic uint64_t turn; /* plus the index == position: free; == position + 1: filled */
    uint32_t n;
    char line[LOG_LINE_MAX];
};

/* The program has one log; this is its state. */
static struct {
    _Atomic int level, format;
    _Atomic bool running;    /* lines go to the ring */
    _Atomic unsigned inside; /* threads that may be filling a slot */
    _Atomic bool sleeping, ending;
    _Atomic uint64_t head;    /* next position to fill */
    _Atomic uint64_t dropped; /* lines lost: the ring was full, or writing failed */
    _Atomic int next_fd;      /* for the writer to change to, or -1 */
    struct log_slot *ring;    /* RING slots, made once, never freed */
    sem_t wake;
    pthread_t writer;
    pthread_mutex_t
        conf; /* guards path, owned and start/stop/reconf/reopen; never taken by log_line */
    char path[PATH_LEN];
    char name[NAME_LEN]; /* set while not running */
    bool forks;          /* the fork handler is in place */
    /* The writer's own. */
    uint64_t tail;
    int fd;
    uint64_t told; /* drops that were reported */
    char batch[BATCH];
} lg = {.level = LOG_INFO,
        .next_fd = -1,
        .fd = 2,
        .conf = PTHREAD_MUTEX_INITIALIZER,
        .name = "sallyport"};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < ARRAY_LEN(level_names) ? level_names[level] : "error";
}

int log_level_of(str name)
{
    for (unsigned i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_eqz(name, level_names[i]))
            return (int)i;
    }
    return E_ARG;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&lg.level, level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&lg.level, memory_order_relaxed);
}

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&lg.level, memory_order_relaxed);
}

uint64_t log_dropped(void)
{
    return atomic_load_explicit(&lg.dropped, memory_order_relaxed);
}

/* Writes everything, waiting where the other end is slow; false when it was lost. */
static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done >= 0) {
            p += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN) {
            struct pollfd pfd = {.fd = fd, .events = POLLOUT};
            if (poll(&pfd, 1, 1000) == 0)
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static struct log_slot *slot_of(uint64_t position)
{
    return &lg.ring[position & (RING - 1)];
}

static uint64_t turn_of(const struct log_slot *s, uint64_t position)
{
    return atomic_load(&s->turn) + (position & (RING - 1));
}

static void set_turn(struct log_slot *s, uint64_t position, uint64_t turn)
{
    atomic_store(&s->turn, turn - (position & (RING - 1)));
}

/* Takes the next free slot; NULL when the ring is full. */
static struct log_slot *reserve(uint64_t *position)
{
    uint64_t at = atomic_load_explicit(&lg.head, memory_order_relaxed);
    for (;;) {
        struct log_slot *s = slot_of(at);
        int64_t ahead = (int64_t)(turn_of(s, at) - at);
        if (ahead < 0)
            return NULL;
        if (ahead > 0) {
            at = atomic_load_explicit(&lg.head, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(
                       &lg.head, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
            *position = at;
            return s;
        }
    }
}

static void publish(struct log_slot *s, uint64_t position)
{
    set_turn(s, position, position + 1);
    if (atomic_load(&lg.sleeping) && atomic_exchange(&lg.sleeping, false))
        sem_post(&lg.wake);
}

/* Enters the ring's users; false when lines go straight to stderr. */
static bool enter(void)
{
    atomic_fetch_add(&lg.inside, 1);
    if (atomic_load(&lg.running))
        return true;
    atomic_fetch_sub(&lg.inside, 1);
    return false;
}

static void leave(void)
{
    atomic_fetch_sub(&lg.inside, 1);
}

static void compose(struct log_line *l, char *room, bool text, enum log_level level, str msg,
                    bool cut, va_list *fields)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    enum log_format format =
        text ? LOG_TEXT : (enum log_format)atomic_load_explicit(&lg.format, memory_order_relaxed);
    log_line_begin(l, room, format, now, level, lg.name);
    log_line_message(l, msg, cut);
    while (fields) {
        const char *key = va_arg(*fields, const char *);
        const char *value = key ? va_arg(*fields, const char *) : NULL;
        if (!key)
            break;
        log_line_field(l, key, str_z(value));
    }
    log_line_end(l);
}

static void emit(enum log_level level, str msg, bool cut, va_list *fields)
{
    struct log_line l;
    int saved = errno; /* callers log between a failure and reading errno */
    if (enter()) {
        uint64_t position;
        struct log_slot *s = reserve(&position);
        if (s) {
            compose(&l, s->line, false, level, msg, cut, fields);
            s->n = (uint32_t)l.n;
            publish(s, position);
        } else {
            atomic_fetch_add_explicit(&lg.dropped, 1, memory_order_relaxed);
        }
        leave();
    } else {
        char room[LOG_LINE_MAX];
        compose(&l, room, true, level, msg, cut, fields);
        write_all(2, l.p, l.n);
    }
    errno = saved;
}

void log_vline(enum log_level level, const char *fmt, va_list ap)
{
    char msg[LOG_LINE_MAX];
    if (!log_on(level))
        return;
    int n = vsnprintf(msg, sizeof msg, fmt, ap);
    bool cut = n >= (int)sizeof msg;
    emit(level, str_n(msg, n < 0 ? 0 : cut ? sizeof msg - 1 : (size_t)n), cut, NULL);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    log_vline(level, fmt, ap);
    va_end(ap);
}

void log_kv(enum log_level level, const char *msg, ...)
{
    va_list ap;
    if (!log_on(level))
        return;
    va_start(ap, msg);
    emit(level, str_z(msg), false, &ap);
    va_end(ap);
}

/* The writer. */

static void change_fd(void)
{
    int fd = atomic_exchange(&lg.next_fd, -1);
    if (fd < 0)
        return;
    if (lg.fd > 2 && lg.fd != fd)
        close(lg.fd);
    lg.fd = fd;
}

/* Copies filled slots into the batch; returns how many lines. */
static unsigned collect(size_t *n)
{
    unsigned lines = 0;
    *n = 0;
    for (;;) {
        struct log_slot *s = slot_of(lg.tail);
        if (turn_of(s, lg.tail) != lg.tail + 1 || *n + s->n > sizeof lg.batch)
            return lines;
        memcpy(lg.batch + *n, s->line, s->n);
        *n += s->n;
        lines++;
        set_turn(s, lg.tail, lg.tail + RING);
        lg.tail++;
    }
}

static void report_drops(void)
{
    uint64_t dropped = log_dropped();
    if (dropped == lg.told)
        return;
    char room[LOG_LINE_MAX], msg[64];
    struct log_line l;
    int n = snprintf(msg, sizeof msg, "%llu log lines were lost",
                     (unsigned long long)(dropped - lg.told));
    compose(&l, room, false, LOG_WARN, str_n(msg, (size_t)n), false, NULL);
    if (write_all(lg.fd, l.p, l.n))
        lg.told = dropped;
}

static void drain(void)
{
    size_t n;
    unsigned lines;
    for (;;) {
        change_fd();
        lines = collect(&n);
        if (lines == 0)
            break;
        if (!write_all(lg.fd, lg.batch, n))
            atomic_fetch_add_explicit(&lg.dropped, lines, memory_order_relaxed);
    }
    report_drops();
}

static void *writer(void *arg)
{
    (void)arg;
    while (!atomic_load(&lg.ending)) {
        drain();
        atomic_store(&lg.sleeping, true);
        bool idle = turn_of(slot_of(lg.tail), lg.tail) != lg.tail + 1 &&
                    !atomic_load(&lg.ending) && atomic_load(&lg.next_fd) < 0;
        if (idle) {
            while (sem_wait(&lg.wake) != 0 && errno == EINTR)
                continue;
        }
        atomic_store(&lg.sleeping, false);
    }
    drain();
    return NULL;
}

static void wake_writer(void)
{
    sem_post(&lg.wake);
}

/* A child has no writer: its lines go straight to stderr until it starts its own. */
static void in_child(void)
{
    atomic_store(&lg.running, false);
    atomic_store(&lg.inside, 0);
    pthread_mutex_init(&lg.conf, NULL);
}

/* Opens what the conf names; a negative status when it cannot. */
static int open_target(const char *to)
{
    if (!to || strcmp(to, "stderr") == 0)
        return 2;
    if (strcmp(to, "stdout") == 0)
        return 1;
    if (strlen(to) >= PATH_LEN)
        return E_LIMIT;
    int fd = open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    return fd < 0 ? E_IO : fd;
}

static void hand_over(int fd)
{
    int before = atomic_exchange(&lg.next_fd, fd);
    if (before > 2)
        close(before); /* the writer never saw it */
    wake_writer();
}

static void apply(const struct log_conf *c)
{
    atomic_store(&lg.level, c->level);
    atomic_store(&lg.format, c->format);
    snprintf(lg.path, sizeof lg.path, "%s", c->to ? c->to : "stderr");
}

/* All memory and the semaphore; once. */
static int prepare(void)
{
    if (!lg.ring)
        lg.ring = calloc(RING, sizeof *lg.ring);
    if (!lg.ring)
        return E_NOMEM;
    for (uint64_t i = 0; i < RING && i < atomic_load(&lg.head); i++)
        atomic_store(&lg.ring[i].turn, 0);
    atomic_store(&lg.head, 0);
    lg.tail = 0;
    if (!lg.forks && pthread_atfork(NULL, NULL, in_child) != 0)
        return E_NOMEM;
    lg.forks = true;
    return sem_init(&lg.wake, 0, 0) == 0 ? 0 : E_NOMEM;
}

/* Signals are the main thread's business. */
static int start_writer(void)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&lg.writer, NULL, writer, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0 ? 0 : E_NOMEM;
}

static int start(const struct log_conf *c)
{
    if (atomic_load(&lg.running))
        return E_EXISTS;
    int fd = open_target(c->to), rc = fd < 0 ? fd : prepare();
    if (rc == 0) {
        snprintf(lg.name, sizeof lg.name, "%s", c->name ? c->name : "sallyport");
        apply(c);
        lg.fd = fd;
        atomic_store(&lg.ending, false);
        atomic_store(&lg.sleeping, false);
        rc = start_writer();
        if (rc != 0)
            sem_destroy(&lg.wake);
    }
    if (rc == 0)
        atomic_store(&lg.running, true);
    else if (fd > 2)
        close(fd);
    return rc;
}

int log_start(const struct log_conf *c)
{
    pthread_mutex_lock(&lg.conf);
    int rc = start(c);
    pthread_mutex_unlock(&lg.conf);
    return rc;
}

void log_stop(void)
{
    pthread_mutex_lock(&lg.conf);
    if (atomic_load(&lg.running)) {
        atomic_store(&lg.running, false);
        while (atomic_load(&lg.inside))
            sched_yield(); /* each fills one slot and leaves */
        atomic_store(&lg.ending, true);
        wake_writer();
        pthread_join(lg.writer, NULL);
        if (lg.fd > 2)
            close(lg.fd);
        lg.fd = 2;
        sem_destroy(&lg.wake);
    }
    pthread_mutex_unlock(&lg.conf);
}

int log_reconf(const struct log_conf *c)
{
    int rc = 0;
    pthread_mutex_lock(&lg.conf);
    if (!atomic_load(&lg.running)) {
        rc = E_NONE;
    } else if (strcmp(c->to ? c->to : "stderr", lg.path) == 0) {
        apply(c);
    } else {
        rc = open_target(c->to);
        if (rc >= 0) {
            apply(c);
            hand_over(rc);
            rc = 0;
        }
    }
    pthread_mutex_unlock(&lg.conf);
    return rc;
}

int log_reopen(void)
{
    pthread_mutex_lock(&lg.conf);
    int rc = atomic_load(&lg.running) ? open_target(lg.path) : E_NONE;
    if (rc > 2)
        hand_over(rc);
    pthread_mutex_unlock(&lg.conf);
    return rc < 0 ? rc : 0;
}
