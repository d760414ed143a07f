/* SPDX-License-Identifier: Apache-2.0 */
/* Mailbox: the only way between threads. Lock-free multi-producer queue of intrusive messages and one ev_async. */
#ifndef NET_MBOX_H
#define NET_MBOX_H

#include <ev.h>
#include <stdatomic.h>

#include "base/cc.h"

struct loop;

struct mbox_msg {
    struct mbox_msg *_Atomic next;
    void (*fn)(struct loop *, struct mbox_msg *); /* runs on the receiving thread and then owns the message */
};

struct mbox {
    struct mbox_msg *_Atomic head; /* producers push here */
    ev_async async;
    struct loop *loop;
    _Atomic bool closed;
};

void mbox_init(struct mbox *, struct loop *);
void mbox_fini(struct mbox *); /* delivers what is left */
/* Any thread. Messages of one sender arrive in order. */
void mbox_post(struct mbox *, struct mbox_msg *);

#endif
