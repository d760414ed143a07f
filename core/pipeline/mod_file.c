/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a plugin's file before any of its code runs: owner, mode, ELF header, checksum.
 *
 * dlopen() maps what the headers promise and dies with SIGBUS or worse when the file is shorter or
 * was made for another machine, so those are refused here. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enc.h"
#include "pipeline/mod_int.h"

#include <elf.h> /* behind ev.h, whose enumerator EV_NONE is a macro here */

#define FILE_MAX     (512u << 20)
#define SEGMENTS_MAX 128

/* Our own ELF header, from the linker: which machine this program runs on. */
extern const Elf64_Ehdr __ehdr_start __attribute__((weak, visibility("hidden")));

int mod_refuse(struct module_report *r, const char *advice, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->problem, sizeof r->problem, fmt, ap);
    va_end(ap);
    snprintf(r->advice, sizeof r->advice, "%s", advice ? advice : "");
    r->ok = false;
    return E_CONF;
}

static int check_stat(const struct stat *st, struct module_report *r)
{
    if (!S_ISREG(st->st_mode))
        return mod_refuse(r, "give the path of a shared object", "is not a regular file");
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return mod_refuse(
            r, "change its owner to root",
            "belongs to user %u, who is neither root nor the user that runs the gateway (%u)",
            (unsigned)st->st_uid, (unsigned)geteuid());
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return mod_refuse(
            r, "chmod go-w",
            "may be written by %s (mode %04o): whoever can write it can run code here",
            st->st_mode & S_IWOTH ? "everybody" : "its group", (unsigned)st->st_mode & 07777);
    if (st->st_size > FILE_MAX)
        return mod_refuse(r, NULL, "is larger than %u MB", FILE_MAX >> 20);
    return 0;
}

/* Reads exactly n bytes at an offset; false at the file's end or on an error. */
static bool read_at(int fd, void *out, size_t n, uint64_t at)
{
    char *p = out;
    while (n) {
        ssize_t got = pread(fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
        at += (uint64_t)got;
    }
    return true;
}

static int check_ident(const Elf64_Ehdr *h, struct module_report *r)
{
    const uint16_t one = 1;
    unsigned char data = *(const unsigned char *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    static const char rebuild[] = "build it for this machine";
    if (h->e_ident[EI_CLASS] != ELFCLASS64)
        return mod_refuse(r, rebuild, "is not a 64-bit object");
    if (h->e_ident[EI_DATA] != data)
        return mod_refuse(r, rebuild, "was built for a machine of the other byte order");
    if (h->e_type != ET_DYN)
        return mod_refuse(r, "link it with -shared", "is not a shared object (ELF type %u)",
                          h->e_type);
    if (&__ehdr_start && h->e_machine != __ehdr_start.e_machine)
        return mod_refuse(r, rebuild, "was built for another machine (ELF machine %u; this is %u)",
                          h->e_machine, __ehdr_start.e_machine);
    return 0;
}

static int check_segments(int fd, const Elf64_Ehdr *h, uint64_t size, struct module_report *r)
{
    static const char cut[] = "copy or build it again";
    Elf64_Phdr ph;
    bool dynamic = false;
    if (h->e_phentsize != sizeof ph || h->e_phnum == 0 || h->e_phnum > SEGMENTS_MAX)
        return mod_refuse(r, cut, "has a malformed ELF header");
    for (unsigned i = 0; i < h->e_phnum; i++) {
        if (h->e_phoff > size || !read_at(fd, &ph, sizeof ph, h->e_phoff + i * sizeof ph))
            return mod_refuse(r, cut, "is truncated: its ELF program headers are missing");
        if (ph.p_type != PT_LOAD && ph.p_type != PT_DYNAMIC)
            continue;
        dynamic = dynamic || ph.p_type == PT_DYNAMIC;
        if (ph.p_filesz > size || ph.p_offset > size - ph.p_filesz)
            return mod_refuse(
                r, cut, "is truncated: it has %llu bytes, its ELF header promises %llu",
                (unsigned long long)size, (unsigned long long)(ph.p_offset + ph.p_filesz));
    }
    if (!dynamic)
        return mod_refuse(r, "link it with -shared", "is not a shared object: no dynamic section");
    return 0;
}

static int check_elf(int fd, uint64_t size, struct module_report *r)
{
    Elf64_Ehdr h;
    unsigned char magic[SELFMAG];
    if (!read_at(fd, magic, sizeof magic, 0) || memcmp(magic, ELFMAG, SELFMAG) != 0)
        return mod_refuse(r, "give the path of a shared object",
                          "is not an ELF file: its first bytes are not \\x7f E L F");
    if (!read_at(fd, &h, sizeof h, 0))
        return mod_refuse(r, "copy or build it again", "is truncated: its ELF header is not whole");
    int rc = check_ident(&h, r);
    return rc ? rc : check_segments(fd, &h, size, r);
}

static int digest(int fd, uint64_t size, char hex[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    int rc = E_NOMEM;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char *buf = malloc(65536);
    if (!md || !buf || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
        goto out;
    for (uint64_t at = 0; at < size;) {
        size_t part = size - at < 65536 ? (size_t)(size - at) : 65536;
        rc = E_IO;
        if (!read_at(fd, buf, part, at) || !EVP_DigestUpdate(md, buf, part))
            goto out;
        at += part;
    }
    rc = E_IO;
    if (EVP_DigestFinal_ex(md, sum, &n) && n == 32) {
        enc_hex(hex, sum, n);
        hex[64] = 0;
        rc = 0;
    }
out:
    free(buf);
    EVP_MD_CTX_free(md);
    return rc;
}

static int check_pin(str pin, const char *sum, struct module_report *r)
{
    if (str_ieq(pin, str_z(sum)))
        return 0;
    return mod_refuse(r, "compare the file with the one you trust, then correct `sha256:`",
                      "has the SHA-256 sum %s; the conf pins %.*s", sum,
                      STR_ARG(str_take(pin, 80)));
}

int mod_file_check(struct sp_module *m, const char *path, str pin, struct module_report *r)
{
    struct stat st;
    /* Non-blocking: opening a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return mod_refuse(
            r, errno == ENOENT ? "install the plugin, or correct its name or path" : NULL,
            "cannot be opened: %s", strerror(errno));
    int rc = fstat(fd, &st) ? mod_refuse(r, NULL, "cannot be examined: %s", strerror(errno)) : 0;
    if (!rc)
        rc = check_stat(&st, r);
    if (!rc)
        rc = check_elf(fd, (uint64_t)st.st_size, r);
    /* A sum that nobody pins is not made: OpenSSL's digests cost a process 2 MB of memory. */
    if (!rc && !str_empty(pin)) {
        if (digest(fd, (uint64_t)st.st_size, m->sha256))
            rc = mod_refuse(r, NULL, "cannot be read to its end");
        else
            rc = check_pin(pin, m->sha256, r);
    }
    close(fd);
    if (rc)
        return rc;
    m->dev = st.st_dev;
    m->ino = st.st_ino;
    m->mtime = st.st_mtim;
    return 0;
}

static bool is_file_of(const struct sp_module *m, const struct stat *st)
{
    return st->st_dev == m->dev && st->st_ino == m->ino && st->st_mtim.tv_sec == m->mtime.tv_sec &&
           st->st_mtim.tv_nsec == m->mtime.tv_nsec;
}

bool mod_file_same(const struct sp_module *m)
{
    struct stat st;
    return stat(m->path, &st) == 0 && is_file_of(m, &st);
}

void module_sha256(const struct sp_module *m, char hex[65])
{
    struct stat st;
    int fd;
    memcpy(hex, m->sha256, sizeof m->sha256);
    if (hex[0] || (fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0)
        return;
    if (fstat(fd, &st) || !is_file_of(m, &st) || digest(fd, (uint64_t)st.st_size, hex))
        hex[0] = 0;
    close(fd);
}
