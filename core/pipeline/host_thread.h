/* SPDX-License-Identifier: Apache-2.0 */
/* What host_thread_enter() left for the calling thread. */
#ifndef PIPELINE_HOST_THREAD_H
#define PIPELINE_HOST_THREAD_H

struct metrics;

struct host_thread {
    struct metrics *metrics; /* NULL: the thread never entered */
    unsigned loop_id;
};
struct host_thread host_thread(void);

#endif
