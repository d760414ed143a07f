/* SPDX-License-Identifier: Apache-2.0 */
/* `plugin new NAME [DIR]`: copies the template project and writes the name in. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "process/answer.h"
#include "process/cmd.h"

#define MARK         "@PLUGIN@"
#define NAME_MAX_LEN 63
#define FILE_MAX     (1u << 20)
#define FILES_MAX    500u
#define DEPTH_MAX    8u

struct copy {
    const struct cli *cli;
    str name;
    unsigned files;
    char why[768];
};

static int complain(struct copy *c, const char *path, const char *what)
{
    snprintf(c->why, sizeof c->why, "%.500s: %.200s", path, what);
    return E_IO;
}

/* As the loader wants it: [a-z][a-z0-9-]{0,62}. */
static bool name_ok(str s)
{
    if (s.n == 0 || s.n > NAME_MAX_LEN || s.p[0] < 'a' || s.p[0] > 'z')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-'))
            return false;
    }
    return true;
}

/* Writes `from` with every MARK replaced. */
static void substitute(struct text *out, str from, str name)
{
    while (from.n) {
        size_t at = str_find(from, STR(MARK));
        text_add(out, str_take(from, at));
        if (at == from.n)
            return;
        text_add(out, name);
        from = str_drop(from, at + sizeof MARK - 1);
    }
}

static int read_file(struct copy *c, const char *path, struct text *out)
{
    char part[8192];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return complain(c, path, strerror(errno));
    while ((n = read(fd, part, sizeof part)) > 0 && out->n <= FILE_MAX)
        text_add(out, str_n(part, (size_t)n));
    int err = n < 0 ? errno : 0;
    close(fd);
    if (err || out->failed)
        return complain(c, path, strerror(err ? err : ENOMEM));
    return out->n > FILE_MAX ? complain(c, path, "a template's file has at most 1 MB") : 0;
}

static int write_file(struct copy *c, const char *path, mode_t mode, str s)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return complain(c, path, strerror(errno));
    int err = 0;
    while (s.n && !err) {
        ssize_t n = write(fd, s.p, s.n);
        if (n > 0)
            s = str_drop(s, (size_t)n);
        else if (errno != EINTR)
            err = errno;
    }
    if (close(fd) != 0 && !err)
        err = errno;
    return err ? complain(c, path, strerror(err)) : 0;
}

static int copy_file(struct copy *c, const char *from, const char *to, mode_t mode)
{
    struct text in, out;
    text_init(&in);
    text_init(&out);
    int rc = read_file(c, from, &in);
    if (rc == 0)
        substitute(&out, text_str(&in), c->name);
    if (rc == 0 && out.failed)
        rc = complain(c, to, strerror(ENOMEM));
    if (rc == 0)
        rc = write_file(c, to, mode & 0111 ? 0777 : 0666, text_str(&out));
    text_fini(&in);
    text_fini(&out);
    return rc;
}

static int copy_dir(struct copy *c, const char *from, const char *to, unsigned depth);

static int copy_entry(struct copy *c, const char *from, const char *to, const char *entry,
                      unsigned depth)
{
    char source[4096], target[4096];
    struct text name;
    struct stat st;
    text_init(&name);
    substitute(&name, str_z(entry), c->name);
    int a = snprintf(source, sizeof source, "%s/%s", from, entry);
    int b = snprintf(target, sizeof target, "%s/%s", to, name.p ? name.p : entry);
    text_fini(&name);
    if (a < 0 || b < 0 || (size_t)a >= sizeof source || (size_t)b >= sizeof target)
        return complain(c, entry, "the path is too long");
    if (lstat(source, &st) != 0)
        return complain(c, source, strerror(errno));
    if (++c->files > FILES_MAX)
        return complain(c, from, "a template has at most 500 files");
    if (S_ISDIR(st.st_mode))
        return copy_dir(c, source, target, depth + 1);
    if (S_ISREG(st.st_mode))
        return copy_file(c, source, target, st.st_mode);
    return complain(c, source, "a template holds files and folders only");
}

static int copy_dir(struct copy *c, const char *from, const char *to, unsigned depth)
{
    struct dirent *e;
    int rc = 0;
    if (depth > DEPTH_MAX)
        return complain(c, from, "a template is at most 8 folders deep");
    DIR *d = opendir(from);
    if (!d)
        return complain(c, from, strerror(errno));
    if (mkdir(to, 0777) != 0)
        rc = complain(c, to, errno == EEXIST ? "exists already" : strerror(errno));
    while (rc == 0 && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        rc = copy_entry(c, from, to, e->d_name, depth);
    }
    closedir(d);
    return rc;
}

int cmd_plugin_new(const struct cli *cli)
{
    struct copy c = {.cli = cli, .name = str_z(cli->args[0])};
    const char *to = cli->arg_count > 1 ? cli->args[1] : cli->args[0];
    const char *from = cli->template_dir ? cli->template_dir : SALLYPORT_DATADIR "/template";
    struct text t;
    if (!name_ok(c.name)) {
        return answer_show_fail(
            cli->json, NULL,
            "'%.80s' is no plugin name: a-z first, then a-z, 0-9 and '-', %d at most", cli->args[0],
            NAME_MAX_LEN);
    }
    if (access(from, R_OK | X_OK) != 0) {
        return answer_show_fail(
            cli->json, NULL,
            "the template %s: %s; install sallyport-dev, or name one with --template", from,
            strerror(errno));
    }
    if (copy_dir(&c, from, to, 0) != 0)
        return answer_show_fail(cli->json, NULL, "%s", c.why);
    text_init(&t);
    answer_open(&t);
    json_kv(&t, "name", c.name);
    json_kv(&t, "dir", str_z(to));
    json_kvi(&t, "files", c.files);
    json_close(&t, '}');
    if (cli->json)
        puts(t.failed ? "{\"ok\":false}" : t.p);
    else
        printf("%s: %u files. Next: cd %s && make && make check\n", to, c.files, to);
    text_fini(&t);
    return 0;
}
