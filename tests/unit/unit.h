/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with what it needs, and assertions on string views: included by every unit test of floor
 * 0. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

/* The view holds exactly this text. */
static inline void check_str_at(str got, const char *want, const char *file, int line)
{
    if (str_eqz(got, want))
        return;
    print_error("got  \"%.*s\" (%zu bytes)\nwant \"%s\"\n", STR_ARG(got), got.n, want);
    _fail(file, line);
}
#define assert_str(got, want) check_str_at(got, want, __FILE__, __LINE__)

/* The text holds this part. */
static inline void check_has_at(str got, const char *part, const char *file, int line)
{
    if (str_find(got, str_z(part)) < got.n)
        return;
    print_error("\"%.*s\"\ndoes not hold \"%s\"\n", STR_ARG(got), part);
    _fail(file, line);
}
#define assert_has(got, part) check_has_at(got, part, __FILE__, __LINE__)

#endif
