/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: request heads. What is accepted is exact, and what we write of it reads back as the
 * same request. */
#include "head_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_written(struct one *o)
{
    struct http_req req = {.h = o->h}, again = {.method = 0};
    struct one back;
    str out;
    if (h1_request_of(&o->head, &req, STR("http")) != 0) {
        MUST(o->head.bad == 400);
        return;
    }
    MUST(req.path.n && (req.path.p[0] == '/' || str_eq(req.path, STR("*"))));
    MUST(h1_write_request(&o->a, &req, STR("up"), &out) == 0);
    one_read(&back, out.p, out.n, false, out.n);
    if (back.n < 0 && back.head.bad != 400) { /* bounds: rewritten heads may be a little longer */
        one_done(&back);
        return;
    }
    MUST(back.n == (int64_t)out.n);
    again.h = back.h;
    MUST(h1_request_of(&back.head, &again, STR("http")) == 0);
    MUST(str_eq(again.method_name, req.method_name) && str_eq(again.path, req.path) &&
         str_eq(again.query, req.query));
    MUST(again.has_body == req.has_body && again.content_length == req.content_length);
    one_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    struct one o;
    if (n < 2) return 0;
    size_t step = data[0];
    p++, n--;
    one_read(&o, p, n, false, n);
    if (o.n > 0) check_accepted(&o, p);
    check_pieces(&o, p, n, false, step);
    check_pieces(&o, p, n, false, 1);
    if (o.n > 0) check_written(&o);
    one_done(&o);
    return 0;
}
