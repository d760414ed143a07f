/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the service manager how we are (sd_notify(3)), without its library. */
#ifndef PROCESS_NOTIFY_H
#define PROCESS_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/cc.h"

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
};

/* Reads $NOTIFY_SOCKET and takes it out of the environment, so that no child talks to the manager.
 * 0, E_NONE: not set; E_ARG: of a kind that is not supported (only paths and abstract names are);
 * E_IO. */
int notify_init(struct notify *);
void notify_fini(struct notify *);
/* One message, lines of NAME=VALUE. Waits at most a second for a manager that does not read. */
int notify_send(const struct notify *, const char *fmt, ...) PRINTF(2, 3);
/* READY=1 with a status line. */
int notify_ready(const struct notify *, const char *status);
/* RELOADING=1 with the monotonic clock in microseconds, as Type=notify-reload wants it. */
int notify_reloading(const struct notify *);
int notify_stopping(const struct notify *, const char *status);

#endif
