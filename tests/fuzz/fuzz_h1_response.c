/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: response heads. What is accepted is exact, and what we write of it reads back. */
#include "head_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_written(struct one *o)
{
    struct http_res res = {.h = o->h};
    struct h1_answer w = {.framing = H1_F_LENGTH, .length = 7, .date = STR("x")};
    struct one back;
    str out;
    enum h1_body_kind kind = h1_response_of(&o->head, &res, false);
    MUST(res.status >= 100 && res.status <= 999);
    MUST(kind != H1_CHUNKED || o->head.meta.chunked);
    MUST(kind != H1_LENGTH || res.content_length > 0);
    MUST(h1_write_response(&o->a, &res, &w, &out) == 0);
    one_read(&back, out.p, out.n, true, out.n);
    MUST(back.n == (int64_t)out.n || back.head.bad);
    MUST(back.n < 0 || (back.head.status == res.status && back.head.meta.content_length == 7));
    MUST(back.n > 0 || out.n > 4096);
    one_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    struct one o;
    if (n < 2) return 0;
    size_t step = data[0];
    p++, n--;
    one_read(&o, p, n, true, n);
    if (o.n > 0) check_accepted(&o, p);
    check_pieces(&o, p, n, true, step);
    check_pieces(&o, p, n, true, 1);
    if (o.n > 0) check_written(&o);
    one_done(&o);
    return 0;
}
