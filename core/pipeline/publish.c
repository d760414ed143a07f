/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing: every traffic thread prepares (plugins' thread_start), and only when all could, every thread adopts the snapshot. */
#include "pipeline/snapshot.h"

#include "base/log.h"

struct publish {
    struct pipeline *p;
    struct snapshot *s;
    pipeline_done_fn done;
    void *arg;
    unsigned waiting;
    bool adopting;
    int status;
    char why[256];
};

struct publish_msg { /* to a thread and back */
    struct mbox_msg msg;
    struct publish *pub;
    struct pl_thread *pt;
    int status;
    char why[200];
};

static void send_round(struct publish *);

static void round_done(struct publish *pub)
{
    struct pipeline *p = pub->p;

    if (pub->status == 0 && !pub->adopting) {
        pub->adopting = true;
        send_round(pub);
        return;
    }
    if (pub->status == 0) {
        struct snapshot *old = p->current;
        p->current = pub->s;
        p->published++;
        tls_tickets_interval(p->tickets, (uint64_t)p->current->gateway->ticket_rotation);
        snapshot_unref(old);
    } else {
        snapshot_unref(pub->s);
    }
    p->publishing = NULL;
    if (pub->done)
        pub->done(pub->arg, pub->status, pub->why);
    free(pub);
}

/* On the main thread. */
static void answered(struct loop *l, struct mbox_msg *m)
{
    struct publish_msg *pm = CONTAINER_OF(m, struct publish_msg, msg);
    struct publish *pub = pm->pub;

    (void)l;
    if (pm->status != 0 && pub->status == 0) {
        pub->status = pm->status;
        snprintf(pub->why, sizeof(pub->why), "%s", pm->why);
    }
    free(pm);
    if (--pub->waiting == 0)
        round_done(pub);
}

static void prepare(struct pl_thread *pt, struct publish_msg *pm)
{
    const struct entry_set *es = pm->pub->s->entries;

    for (unsigned i = 0; i < es->n; i++) {
        struct sp_module *m = es->v[i].mod;

        pm->status = module_thread_start(m, pt->loop, pt->pipeline->threads);
        if (pm->status != 0) {
            snprintf(pm->why, sizeof(pm->why), "plugin %s: thread_start failed on thread %u", m->desc.name, pt->loop->id);
            return;
        }
    }
    for (unsigned i = 0; i < pm->pub->s->up_count; i++)
        upstream_warm(pm->pub->s->ups[i], pt->loop);
}

static void adopt(struct pl_thread *pt, struct snapshot *s)
{
    struct snapshot *old = pt->snap;

    for (unsigned i = 0; i < s->unit_count; i++)
        unit_hold(s->units[i], pt->loop->id);
    pt->snap = snapshot_ref(s);
    for (unsigned i = 0; old && i < old->unit_count; i++)
        unit_drop(old->units[i], pt->loop->id);
    snapshot_unref(old);
}

/* On the traffic thread. */
static void asked(struct loop *l, struct mbox_msg *m)
{
    struct publish_msg *pm = CONTAINER_OF(m, struct publish_msg, msg);

    if (pm->pub->adopting)
        adopt(pm->pt, pm->pub->s);
    else
        prepare(pm->pt, pm);
    pm->msg.fn = answered;
    mbox_post(&pm->pub->p->main->mbox, &pm->msg);
    loop_flush(l);
}

static void send_round(struct publish *pub)
{
    struct pipeline *p = pub->p;
    struct publish_msg *msgs[LOOP_MAX] = {0};
    bool failed = false;

    pub->waiting = 0;
    for (unsigned id = 1; id < LOOP_MAX; id++) {
        if (!p->thr[id])
            continue;
        msgs[id] = calloc(1, sizeof(struct publish_msg));
        failed |= !msgs[id];
        pub->waiting++;
    }
    if (failed || pub->waiting == 0) { /* nothing has been posted: nothing is half done */
        for (unsigned id = 1; id < LOOP_MAX; id++)
            free(msgs[id]);
        if (failed) {
            pub->status = E_NOMEM;
            snprintf(pub->why, sizeof(pub->why), "out of memory");
        }
        round_done(pub);
        return;
    }
    for (unsigned id = 1; id < LOOP_MAX; id++) {
        if (!msgs[id])
            continue;
        *msgs[id] = (struct publish_msg){.msg.fn = asked, .pub = pub, .pt = p->thr[id]};
        mbox_post(&p->loops[id]->mbox, &msgs[id]->msg);
    }
}

int pipeline_publish(struct pipeline *p, struct snapshot *s, pipeline_done_fn done, void *arg)
{
    struct publish *pub;

    if (p->publishing)
        return E_AGAIN;
    pub = calloc(1, sizeof(*pub));
    if (!pub)
        return E_NOMEM;
    pub->p = p;
    pub->s = s;
    pub->done = done;
    pub->arg = arg;
    p->publishing = pub;
    send_round(pub);
    return 0;
}
