/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing the reader by name and first byte, and reading documents from disk. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/node.h"

struct node *node_read(struct node_tree *tree, struct diag *diag, const char *name, str text,
                       const struct node_limits *limits)
{
    /* Editors that write a byte order mark mean no harm; RFC 8259 section 8.1 lets a reader skip
     * it. */
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_drop(text, 3);
    size_t i = 0;
    while (i < text.n && memchr(" \t\r\n", text.p[i], 4))
        i++;
    bool json = str_ends(str_z(name), STR(".json")) ||
                (i < text.n && (text.p[i] == '{' || text.p[i] == '['));
    return json ? node_read_json(tree, diag, name, text, limits)
                : node_read_yaml(tree, diag, name, text, limits);
}

static void refuse(struct diag *diag, const char *path, const char *expected, const char *what,
                   const char *why)
{
    diag_error(diag, (struct diag_at){.file = path}, NULL, expected, "%s%s%s", what,
               why ? ": " : "", why ? why : "");
}

/* Reads to the end, at most `max` bytes and one more (so that the caller sees a file that is too
 * long). */
static char *read_all(int fd, size_t max, size_t *n)
{
    size_t cap = 16384, have = 0;
    char *p = malloc(cap);
    while (p && have <= max) {
        if (have == cap) {
            char *more = realloc(p, cap *= 2);
            if (!more)
                break;
            p = more;
        }
        size_t room = cap - have < max + 1 - have ? cap - have : max + 1 - have;
        ssize_t got = read(fd, p + have, room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        have += (size_t)got;
        if (got == 0 || have > max) {
            *n = have;
            return p;
        }
    }
    int why = p ? errno : ENOMEM;
    free(p);
    errno = why;
    return NULL;
}

char *node_file_bytes(struct diag *diag, const char *path, size_t max, size_t *n)
{
    struct stat st;
    char *text = NULL;
    /* O_NONBLOCK: opening a pipe must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        refuse(diag, path, NULL, "cannot open the file", strerror(errno));
        return NULL;
    }
    if (fstat(fd, &st) != 0) {
        refuse(diag, path, NULL, "cannot read the file", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        refuse(diag, path, "a regular file",
               S_ISDIR(st.st_mode) ? "this is a directory" : "this is not a file", NULL);
    } else if (!(text = read_all(fd, max, n))) {
        refuse(diag, path, NULL, "cannot read the file", strerror(errno));
    }
    close(fd);
    return text;
}

struct node *node_read_file(struct node_tree *tree, struct diag *diag, const char *path,
                            const struct node_limits *limits)
{
    struct node_limits standard = NODE_LIMITS_DEFAULT;
    size_t n = 0;
    char *text = node_file_bytes(diag, path,
                                 limits && limits->bytes ? limits->bytes : standard.bytes, &n);
    struct node *root = text ? node_read(tree, diag, path, str_n(text, n), limits) : NULL;
    free(text);
    return root;
}
