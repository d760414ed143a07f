/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /etc/hosts into a map from name to addresses. */
#include "net/hosts.h"

#define LINES_MAX 200000u
#define IPS_MAX 64u

static int add(struct hosts *h, str name, const struct addr_ip *ip)
{
    char low[256];
    if (name.n == 0 || name.n >= sizeof low) return 0;
    for (size_t i = 0; i < name.n; i++) low[i] = chr_lower(name.p[i]);
    name.p = low;
    struct host_ips *e = map_get(&h->map, name);
    if (!e) {
        e = calloc(1, sizeof *e);
        if (!e || map_put(&h->map, name, e, NULL) != 0) {
            free(e);
            return E_NOMEM;
        }
    }
    if (e->n >= IPS_MAX) return 0;
    struct addr_ip *v = realloc(e->v, (e->n + 1) * sizeof *v);
    if (!v) return E_NOMEM;
    e->v = v;
    e->v[e->n++] = *ip;
    return 0;
}

static str next_word(str *rest)
{
    size_t i = 0, k;
    while (i < rest->n && strchr(" \t\r\n", rest->p[i])) i++;
    for (k = i; k < rest->n && !strchr(" \t\r\n", rest->p[k]); k++) {
    }
    str word = str_n(rest->p + i, k - i);
    *rest = str_drop(*rest, k);
    return word;
}

static int read_line(struct hosts *h, str line)
{
    struct addr_ip ip;
    str rest = str_take(line, str_chr(line, '#'));
    if (addr_ip_parse(&ip, next_word(&rest)) != 0) return 0;
    for (str name = next_word(&rest); name.n; name = next_word(&rest)) {
        int rc = add(h, name, &ip);
        if (rc != 0) return rc;
    }
    return 0;
}

int hosts_read(struct hosts *h, const char *path)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    map_init(&h->map, true);
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    for (unsigned i = 0; rc == 0 && i < LINES_MAX && (n = getline(&line, &cap, f)) > 0; i++) {
        if (!memchr(line, '\0', (size_t)n)) rc = read_line(h, str_n(line, (size_t)n));
    }
    free(line);
    fclose(f);
    if (rc != 0) hosts_fini(h);
    return rc;
}

void hosts_fini(struct hosts *h)
{
    str name;
    void *value;
    for (uint32_t i = 0; map_next(&h->map, &i, &name, &value);) {
        struct host_ips *e = value;
        free(e->v);
        free(e);
    }
    map_fini(&h->map);
}

const struct host_ips *hosts_get(const struct hosts *h, str lower_name)
{
    return map_get(&h->map, lower_name);
}
