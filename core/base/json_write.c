/* SPDX-License-Identifier: Apache-2.0 */
/* Writing JSON (RFC 8259) into a text: commas are placed by the writer, output is always valid
 * UTF-8. */
#include "base/text.h"

static void escape(struct text *t, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = memchr(from, c, sizeof from - 1);
    if (at) {
        char pair[2] = {'\\', to[at - from]};
        text_add(t, str_n(pair, 2));
    } else {
        text_printf(t, "\\u%04x", c);
    }
}

void json_quote(struct text *t, str s)
{
    text_chr(t, '"');
    size_t plain = 0; /* start of the run that needs no change */
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = c < 0x80 ? 1 : str_utf8_len(s.p + i, s.n - i);
        if (len && c >= 0x20 && c != '"' && c != '\\') {
            i += len;
            continue;
        }
        text_add(t, str_n(s.p + plain, i - plain));
        if (len)
            escape(t, c);
        else
            text_add(t, STR("\xef\xbf\xbd")); /* U+FFFD */
        plain = ++i;
    }
    if (plain < s.n)
        text_add(t, str_n(s.p + plain, s.n - plain));
    text_chr(t, '"');
}

static void comma(struct text *t)
{
    if (t->comma)
        text_chr(t, ',');
    t->comma = true;
}

void json_open(struct text *t, char bracket)
{
    comma(t);
    text_chr(t, bracket);
    t->comma = false;
}

void json_close(struct text *t, char bracket)
{
    text_chr(t, bracket);
    t->comma = true;
}

void json_key(struct text *t, const char *key)
{
    comma(t);
    json_quote(t, str_z(key));
    text_chr(t, ':');
    t->comma = false;
}

void json_str(struct text *t, str s)
{
    comma(t);
    json_quote(t, s);
}

void json_strz(struct text *t, const char *z)
{
    json_str(t, str_z(z));
}

void json_int(struct text *t, int64_t v)
{
    comma(t);
    text_printf(t, "%lld", (long long)v);
}

void json_num(struct text *t, double v)
{
    char out[40];
    if (!__builtin_isfinite(v)) { /* JSON has no word for these */
        json_null(t);
        return;
    }
    /* The shortest of these that reads back as the same number. */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, sizeof out, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            break;
    }
    comma(t);
    text_addz(t, out);
}

void json_bool(struct text *t, bool v)
{
    comma(t);
    text_addz(t, v ? "true" : "false");
}

void json_null(struct text *t)
{
    comma(t);
    text_addz(t, "null");
}

void json_raw(struct text *t, str s)
{
    comma(t);
    text_add(t, s);
}

void json_kv(struct text *t, const char *key, str value)
{
    json_key(t, key);
    json_str(t, value);
}

void json_kvi(struct text *t, const char *key, int64_t value)
{
    json_key(t, key);
    json_int(t, value);
}
