/* SPDX-License-Identifier: Apache-2.0 */
/* The names of /etc/hosts (hosts(5)), read once. */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "base/map.h"
#include "net/addr.h"

struct host_ips {
    struct addr_ip *v;
    unsigned n;
};

struct hosts {
    struct map map; /* lower-case name to struct host_ips */
};

/* Blocking: not on the way of traffic. A file that is not there is empty; malformed lines are
 * passed over. E_NOMEM. */
int hosts_read(struct hosts *, const char *path);
void hosts_fini(struct hosts *);
const struct host_ips *hosts_get(const struct hosts *, str lower_name); /* or NULL */

#endif
