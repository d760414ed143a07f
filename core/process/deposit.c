/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping listening sockets by name. */
#include "process/deposit.h"

#include <unistd.h>

void deposits_init(struct deposits *d)
{
    list_init(&d->all);
    d->count = 0;
}

static int forget(struct deposits *d, struct deposit *it)
{
    int fd = it->fd;
    list_del(&it->link);
    d->count--;
    free(it);
    return fd;
}

void deposits_fini(struct deposits *d)
{
    LIST_EACH_SAFE(&d->all, it) close(forget(d, LIST_ITEM(it, struct deposit, link)));
}

static struct deposit *find(struct deposits *d, str key)
{
    LIST_EACH(&d->all, it)
    {
        struct deposit *found = LIST_ITEM(it, struct deposit, link);
        if (str_eqz(key, found->key))
            return found;
    }
    return NULL;
}

int deposit_put(struct deposits *d, str key, int fd)
{
    struct deposit *it = find(d, key);
    if (it) {
        close(it->fd);
        it->fd = fd;
        return 0;
    }
    it = key.n < DEPOSIT_KEY_MAX ? calloc(1, sizeof *it) : NULL;
    if (!it) {
        close(fd);
        return key.n < DEPOSIT_KEY_MAX ? E_NOMEM : E_ARG;
    }
    memcpy(it->key, key.p, key.n);
    it->fd = fd;
    list_push(&d->all, &it->link);
    d->count++;
    return 0;
}

int deposit_take(struct deposits *d, str key)
{
    struct deposit *it = find(d, key);
    return it ? forget(d, it) : -1;
}

int deposit_drop(struct deposits *d, str key)
{
    int fd = deposit_take(d, key);
    if (fd < 0)
        return E_NONE;
    close(fd);
    return 0;
}

const char *deposit_key(char out[DEPOSIT_KEY_MAX], str address, unsigned index)
{
    snprintf(out, DEPOSIT_KEY_MAX, "%.*s#%u", (int)(address.n < 140 ? address.n : 140), address.p,
             index);
    return out;
}

const char *deposit_file(str key, char out[DEPOSIT_KEY_MAX])
{
    size_t from = str_find(key, STR("unix:/")), end = key.n;
    while (end > from && key.p[end - 1] != '#')
        end--;
    if (from == key.n || end <= from + 6)
        return NULL;
    snprintf(out, DEPOSIT_KEY_MAX, "%.*s", (int)(end - 1 - from - 5), key.p + from + 5);
    return out;
}
