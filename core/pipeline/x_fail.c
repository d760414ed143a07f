/* SPDX-License-Identifier: Apache-2.0 */
/* How exchanges and hooks fail: by a gateway response, by breaking off, by going on all the same. */
#include <stdarg.h>

#include "base/log.h"
#include "base/shortage.h"
#include "pipeline/exchange.h"
#include "pipeline/metric.h"

void x_misuse(struct exchange *x, const struct hook_ref *h, const char *fmt, ...)
{
    char what[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    atomic_fetch_add_explicit(&x->pt->misuse, 1, memory_order_relaxed);
    if (h) {
        metric_add(x->pt->pipeline->metrics, x->loop->id, h->e->m_misuse, 1);
        log_error("plugin %.*s (entry %.*s) at %s, request %.36s: %s", STR_ARG(str_z(h->e->mod->desc.name)), STR_ARG(h->e->id),
                  hook_point_name(x->cur_point), x->request_id, what);
    }
}

static struct body_hook *body_hook_of(struct exchange *x, const struct hook_ref *h, enum x_where where)
{
    struct flow *f = where == W_REQ_BODY ? &x->req_flow : &x->res_flow;

    return where != W_MAIN && f->at < f->hook_count && f->hooks->v[f->at].h == h ? &f->hooks->v[f->at] : NULL;
}

bool x_allows(const struct exchange *x, const struct hook_ref *h, enum x_where where, unsigned point)
{
    const struct body_hook *bh = body_hook_of((struct exchange *)x, h, where);

    return h->e->allow && point != SP_HP_INTEGRATION && (where == W_MAIN || (bh && !bh->edited));
}

void x_pass_over(struct exchange *x, const struct hook_ref *h, enum x_where where, unsigned point, const char *why)
{
    struct flow *f = where == W_REQ_BODY ? &x->req_flow : &x->res_flow;
    struct body_hook *bh = body_hook_of(x, h, where);

    metric_add(x->pt->pipeline->metrics, x->loop->id, h->e->m_allowed, 1);
    log_warn("plugin %s (entry %.*s) at %s, request %.36s: %s; the request goes on (on_error: allow)", h->e->mod->desc.name,
             STR_ARG(h->e->id), hook_point_name(point), x->request_id, why);
    if (!bh)
        return;
    bh->finished = true; /* the body goes on as it came, and this hook sees no more of it */
    f->replaced = f->cut = false;
    bufq_clear(&f->hooks->gave);
}

void x_fail(struct exchange *x, enum gw_type type, const char *why)
{
    if (x->ended)
        return;
    x_trace(x, "%s: %s", gw_name(type), why);
    if (x->head_gone) {
        x_abort(x, why);
        return;
    }
    x->error_detail = str_z(why);
    x_drop_response(x);
    x_set_gateway_response(x, type, STR_NONE);
    x_to_response(x, STOP_ALL);
}

void x_abort(struct exchange *x, const char *why)
{
    if (x->aborted || x->ended)
        return;
    x_trace(x, "aborted: %s", why);
    x->aborted = true;
    x->blocked = false;
    x->blocked_h = NULL;
    if (str_empty(x->error_detail))
        x->error_detail = str_z(why);
    if (x->proxy)
        proxy_cancel(x);
    srv_abort(x->st);
}

void x_fail_memory(struct exchange *x)
{
    shortage_note(SHORT_HEAP, SHORT_AT_REQUEST, loop_now_ms(x->loop));
    x->st->last = true;
    x_fail(x, GW_INTEGRATION_UNREACHABLE, "out of memory");
}

void x_abort_memory(struct exchange *x)
{
    shortage_note(SHORT_HEAP, SHORT_AT_REQUEST, loop_now_ms(x->loop));
    x_abort(x, "out of memory");
}
