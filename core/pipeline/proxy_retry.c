/* SPDX-License-Identifier: Apache-2.0 */
/* Further attempts of the core's integration: only where nothing can have been done twice, only
 * while the body is still at hand, and within the upstream's budget.
 *
 * A request of which no byte went out may go anywhere. Otherwise it must be idempotent (RFC 9110
 * 9.2.2) and unanswered, or answered with a status that the conf names. */
#include "pipeline/proxy.h"

#define KEEP_BYTES  (64u << 10)
#define KEEP_SLICES 16u

/* The hash's key */

static str cookie(const struct exchange *x, str name)
{
    const struct hdr *h;
    for (unsigned i = 0; (h = hdrs_get(&x->st->req.h, HDR_COOKIE, STR_NONE, i)); i++) {
        str rest = h->value;
        while (rest.n) {
            str pair = str_trim(str_cut(&rest, ';'), " \t");
            size_t eq = str_chr(pair, '=');
            if (eq < pair.n && str_eq(str_take(pair, eq), name))
                return str_drop(pair, eq + 1);
        }
    }
    return STR_NONE;
}

void proxy_key(struct exchange *x)
{
    struct proxy *p = x->proxy;
    const struct gw_balance *b = upstream_hashes(p->up);
    const struct hdr *h;
    str v = STR_NONE;

    if (!b)
        return;
    switch (b->source) {
    case HASH_CLIENT_IP:
        v = str_n((const char *)x->client.ip, sizeof x->client.ip);
        break;
    case HASH_PATH:
        v = x->st->req.path;
        break;
    case HASH_HEADER:
        h = hdrs_get(&x->st->req.h, HDR_OTHER, b->name, 0);
        v = h ? h->value : v;
        break;
    case HASH_COOKIE:
        v = cookie(x, b->name);
        break;
    default:
        if (!x_query_get(x, b->name, &v))
            v = STR_NONE;
    }
    p->want.key = v.n ? upstream_hash(v) : 0;
}

/* The body */

void proxy_forget(struct proxy *p)
{
    p->keeping = false;
    if (p->spared)
        bufq_clear(&p->spare.kept);
}

void proxy_keep(struct exchange *x, const struct bufq *q)
{
    struct proxy *p = x->proxy;
    if (!p->keeping || q->count == 0)
        return;
    struct bufq *kept = &proxy_spare(p)->kept;
    bool fits = kept->bytes + q->bytes <= KEEP_BYTES && kept->count + q->count <= KEEP_SLICES;
    for (uint32_t i = 0; fits && i < q->count; i++)
        fits = bufq_push_ref(kept, *bufq_at(q, i)) == 0;
    if (!fits)
        proxy_forget(p);
}

int proxy_replay(struct exchange *x)
{
    struct proxy *p = x->proxy;
    struct bufq again, *kept = &proxy_spare(p)->kept;
    int rc = 0;
    if (!x->req.has_body || (kept->count == 0 && !p->end_sent))
        return 0;
    bufq_init(&again);
    for (uint32_t i = 0; rc == 0 && i < kept->count; i++)
        rc = bufq_push_ref(&again, *bufq_at(kept, i));
    if (rc == 0 && p->end_sent && x->st->req.trailers.n)
        cli_trailers(&p->call, &x->st->req.trailers);
    if (rc == 0)
        rc = cli_send(&p->call, &again, p->end_sent);
    bufq_clear(&again);
    return rc;
}

/* Whether */

bool proxy_stale(const struct cli_fail *f)
{
    return f->stage != CLI_CONNECT && f->reused && f->untouched && f->err == E_IO;
}

/* Some attempt is left, and all that it needs. */
static bool possible(const struct exchange *x)
{
    const struct proxy *p = x->proxy;
    return x->attempt < upstream_retries(p->up)->attempts && x->phase < X_RESPONSE &&
           (!x->req.has_body || p->keeping);
}

/* Elsewhere; here only after a while. False: there is no other, or the budget is spent. */
static bool prepare(struct exchange *x)
{
    struct proxy *p = x->proxy;
    upstream_tried(&p->want, p->addr);
    p->want.other = upstream_retries(p->up)->backoff == 0;
    p->fresh = false;
    if (p->want.other && !upstream_has_other(p->addr, &p->want))
        return false;
    if (!upstream_retry_take(p->addr))
        return false;
    p->retrying = true;
    return true;
}

static unsigned kind_of(const struct cli_fail *f)
{
    if (f->err != E_IO && f->err != E_TIMEOUT && f->err != E_TLS)
        return 0; /* it answered, if badly; or the trouble is our own */
    if (f->stage == CLI_CONNECT)
        return RETRY_CONNECT;
    return f->err == E_TIMEOUT ? RETRY_TIMEOUT : RETRY_RESET;
}

bool proxy_again(struct exchange *x, const struct cli_fail *f)
{
    struct proxy *p = x->proxy;
    unsigned kind = kind_of(f);
    if (x->res_ready || !possible(x) ||
        (kind != RETRY_CONNECT && (!f->untouched || !p->idempotent)))
        return false;
    if (proxy_stale(f)) {
        p->want.other = false;
        p->fresh = true;
        p->retrying = false;
        return true;
    }
    return (upstream_retries(p->up)->on & kind) && prepare(x);
}

bool proxy_again_status(struct exchange *x, unsigned status)
{
    const struct gw_retries *r = upstream_retries(x->proxy->up);
    return (gw_status_bit(status) & r->statuses) && possible(x) && x->proxy->idempotent && prepare(x);
}

/* Twice as long each time, and never in step with others. */
uint64_t proxy_wait(struct exchange *x)
{
    uint64_t ms = (uint64_t)upstream_retries(x->proxy->up)->backoff;
    if (ms == 0 || !x->proxy->retrying)
        return 0;
    ms <<= x->attempt > 1 ? x->attempt - 1 : 0;
    return ms / 2 + rng_next(&x->loop->rng) % (ms + 1);
}
