/* SPDX-License-Identifier: Apache-2.0 */
/* Sallyport's plugin ABI: the one header a plugin includes.
 *
 * A plugin is a shared object that exports one function, sp_entry(), returning its descriptor (plugin.h). The host hands it
 * tables of functions (host.h and the headers it includes). Rules that hold everywhere:
 *
 *  1. Views (sp_str) that the host gives live until the exchange ends; those of a chunk until the hook returns. Views given to
 *     load(), conf_create() and commands live until that call returns, except where a comment says otherwise.
 *  2. What a plugin gives the host is copied, except where a comment says "borrowed".
 *  3. Memory from exchange->alloc is freed when the exchange has ended and nothing offloaded still works on it; never singly.
 *  4. A conf is immutable from conf_create to conf_free, which runs after the last exchange that used it.
 *  5. Never allocate, embed, copy or size a host structure. Structures that a plugin fills begin with `size`.
 *  6. Tokens and operations are integers; a stale one gets SP_E_GONE, whatever became of its exchange.
 *  7. Every hook and continuation of one exchange runs on one thread. A module's timers and calls run on the thread that began them.
 *     Functions are for that thread unless their comment says "any thread".
 *  8. Hooks must not block: no file, no DNS, no sleep, no lock that another thread holds for long.
 *  9. Content-Length, Transfer-Encoding, Connection and the other framing headers belong to the host.
 * 10. Tables only grow at the end; test a member that is younger than need_minor with SP_HAS.
 *
 * ABI 0 is not yet frozen: major 0 plugins must be rebuilt when SP_ABI_MINOR changes. See ABI.md. */
#ifndef SALLYPORT_ABI_H
#define SALLYPORT_ABI_H

#include <sallyport/host.h>
#include <sallyport/plugin.h>
#include <sallyport/types.h>

#endif
