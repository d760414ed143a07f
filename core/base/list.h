/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive doubly linked list with a sentinel head. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/cc.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_add(struct list *at, struct list *n)
{
    n->next = at->next, n->prev = at;
    at->next->prev = n, at->next = n;
}
static inline void list_push(struct list *head, struct list *n) { list_add(head->prev, n); } /* at the end */
static inline void list_del(struct list *n)
{
    n->prev->next = n->next, n->next->prev = n->prev;
    n->next = n->prev = n;
}
#define LIST_ITEM(l, type, member) CONTAINER_OF(l, type, member)
#define LIST_EACH(head, it) for (struct list *it = (head)->next; it != (head); it = it->next)
/* `it` may be deleted in the body. */
#define LIST_EACH_SAFE(head, it) \
    for (struct list *it = (head)->next, *it##_n = it->next; it != (head); it = it##_n, it##_n = it->next)

#endif
