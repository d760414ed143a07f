/* SPDX-License-Identifier: Apache-2.0 */
/* One log line: time, level, process, message, fields; text or JSON; nothing in it can begin
 * another line. */
#include "base/log_line.h"

/* Kept free for what ends a cut line: `...","cut":true}` and the newline. */
#define TAIL 24u

static bool fits(struct log_line *l, size_t n)
{
    if (!l->full && l->n + n <= LOG_LINE_MAX - TAIL)
        return true;
    l->full = true;
    return false;
}

static void put(struct log_line *l, str s)
{
    if (!fits(l, s.n))
        return;
    if (s.n)
        memcpy(l->p + l->n, s.p, s.n);
    l->n += s.n;
}

/* Into the room of TAIL. */
static void put_last(struct log_line *l, const char *z)
{
    size_t n = strlen(z);
    memcpy(l->p + l->n, z, n);
    l->n += n;
}

static void put2(char *out, unsigned v)
{
    out[0] = (char)('0' + v / 10 % 10);
    out[1] = (char)('0' + v % 10);
}

/* gmtime_r takes a lock in some C libraries, so the calendar is computed here (days from civil,
 * proleptic Gregorian). */
void log_stamp(char out[24], struct timespec when)
{
    int64_t secs = when.tv_sec < 0 ? 0 : when.tv_sec, days = secs / 86400;
    unsigned rest = (unsigned)(secs % 86400), ms = (unsigned)(when.tv_nsec / 1000000);
    int64_t z = days + 719468, era = z / 146097; /* days since 0000-03-01; 400-year eras */
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    unsigned month = mp < 10 ? mp + 3 : mp - 9, day = doy - (153 * mp + 2) / 5 + 1;
    unsigned year = (unsigned)(era * 400 + yoe) + (month <= 2);

    memcpy(out, "0000-00-00T00:00:00.000Z", 24);
    put2(out, year / 100);
    put2(out + 2, year);
    put2(out + 5, month);
    put2(out + 8, day);
    put2(out + 11, rest / 3600);
    put2(out + 14, rest / 60 % 60);
    put2(out + 17, rest % 60);
    put2(out + 20, ms / 10);
    out[22] = (char)('0' + ms % 10);
}

/* Control characters (C0, DEL, C1) and the line separators that some viewers obey. */
static bool harmless(const char *p, size_t len)
{
    const unsigned char *s = (const unsigned char *)p;
    if (len == 1)
        return s[0] >= 0x20 && s[0] != 0x7f;
    if (len == 2)
        return s[0] != 0xc2 || s[1] >= 0xa0;
    return !(s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9));
}

static void put_escape(struct log_line *l, unsigned char c, bool valid)
{
    char z[8];
    if (c == '\n')
        put(l, STR("\\n"));
    else if (c == '\r')
        put(l, STR("\\r"));
    else if (c == '\t')
        put(l, STR("\\t"));
    else if (l->format == LOG_TEXT)
        put(l, str_n(z, (size_t)snprintf(z, sizeof z, "\\x%02x", c)));
    else if (!valid)
        put(l, STR("\xef\xbf\xbd"));
    else
        put(l, str_n(z, (size_t)snprintf(z, sizeof z, "\\u%04x", c)));
}

/* Text whose every character stays inside its line; in quotes '"' and '\' are escaped too. */
static void put_text(struct log_line *l, str s, bool quoted)
{
    for (size_t i = 0; i < s.n && !l->full;) {
        size_t len = str_utf8_len(s.p + i, s.n - i);
        if (len > 1 && !harmless(s.p + i, len) && l->format == LOG_JSON) {
            put(l, STR("\xef\xbf\xbd"));
            i += len;
        } else if (len == 0 || !harmless(s.p + i, len)) {
            put_escape(l, (unsigned char)s.p[i], len != 0);
            i++;
        } else if (quoted && (s.p[i] == '"' || s.p[i] == '\\')) {
            char pair[2] = {'\\', s.p[i++]};
            put(l, str_n(pair, 2));
        } else {
            put(l, str_n(s.p + i, len));
            i += len;
        }
    }
}

void log_line_begin(struct log_line *l, char *room, enum log_format format, struct timespec when,
                    enum log_level level, const char *process)
{
    char stamp[24];
    str name = str_z(log_level_name(level));
    *l = (struct log_line){.p = room, .format = format};
    log_stamp(stamp, when);
    if (format == LOG_TEXT) {
        put(l, str_n(stamp, sizeof stamp));
        put(l, STR(" "));
        put(l, name);
        put(l, STR(" "));
        put_text(l, str_z(process), false);
        put(l, STR(": "));
        return;
    }
    put(l, STR("{\"time\":\""));
    put(l, str_n(stamp, sizeof stamp));
    put(l, STR("\",\"level\":\""));
    put(l, name);
    put(l, STR("\",\"process\":\""));
    put_text(l, str_z(process), true);
    put(l, STR("\""));
}

void log_line_message(struct log_line *l, str msg, bool cut)
{
    bool json = l->format == LOG_JSON;
    if (json)
        put(l, STR(",\"message\":\""));
    put_text(l, msg, json);
    if (cut || l->full) {
        l->full = l->marked = true;
        put_last(l, "...");
    }
    if (json)
        put_last(l, "\"");
}

/* In text a value with blanks, quotes, '=' or nothing at all stands in quotes. */
static bool needs_quotes(str v)
{
    if (v.n == 0)
        return true;
    for (size_t i = 0; i < v.n; i++) {
        if (strchr(" \"=\\", v.p[i]) || (unsigned char)v.p[i] < 0x20)
            return true;
    }
    return false;
}

void log_line_field(struct log_line *l, const char *key, str value)
{
    bool json = l->format == LOG_JSON, quoted = json || needs_quotes(value);
    str name = str_z(key);
    /* A field that cannot show its key and a little of its value is left out, and so are those
     * behind it. */
    if (!fits(l, name.n * 6 + 16))
        return;
    put(l, json ? STR(",\"") : STR(" "));
    put_text(l, name, true);
    put(l, json ? STR("\":\"") : quoted ? STR("=\"") : STR("="));
    put_text(l, value, quoted);
    if (l->full) {
        l->marked = true;
        put_last(l, "...");
    }
    if (quoted)
        put_last(l, "\"");
}

void log_line_end(struct log_line *l)
{
    bool json = l->format == LOG_JSON;
    if (l->full && json)
        put_last(l, ",\"cut\":true");
    else if (l->full && !l->marked)
        put_last(l, " ..."); /* whole fields were left out */
    put_last(l, json ? "}\n" : "\n");
}
