/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of libev, which would end the process for want of it. */
#ifndef NET_LOOP_MEM_H
#define NET_LOOP_MEM_H

/* Before the first loop of the process is made; further calls do nothing. Any thread. */
void loop_mem_init(void);
/* What libev calls: as realloc; 0 bytes: free. NULL, and p as it was: also the spare is spent. */
void *loop_mem_grow(void *p, long bytes);

#endif
