/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies of the load generator: a log-linear histogram in ns, 64 buckets per power of two. */
#include "lgen.h"

#include <math.h>

#define SUB 6
static uint64_t hist[64 << SUB], lat_max, lat_n;
static double lat_sum;

static unsigned hidx(uint64_t v)
{
    if (v < (1u << SUB))
        return (unsigned)v;
    int e = 63 - __builtin_clzll(v);
    return (unsigned)(((e - SUB + 1) << SUB) | ((v >> (e - SUB)) & ((1u << SUB) - 1)));
}
static double hval(unsigned i)
{
    if (i < (1u << SUB))
        return i;
    int e = (int)(i >> SUB) + SUB - 1;
    uint64_t m = (1u << SUB) | (i & ((1u << SUB) - 1));
    return (double)(m << (e - SUB)) + (double)(1ull << (e - SUB)) / 2;
}
double hist_pct(double p)
{
    uint64_t tot = 0, acc = 0;
    for (unsigned i = 0; i < (64u << SUB); i++)
        tot += hist[i];
    if (!tot)
        return 0;
    uint64_t want = (uint64_t)ceil(p * (double)tot);
    if (!want)
        want = 1;
    for (unsigned i = 0; i < (64u << SUB); i++) {
        acc += hist[i];
        if (acc >= want)
            return hval(i);
    }
    return 0;
}

void hist_reset(void)
{
    memset(hist, 0, sizeof hist);
    lat_max = lat_n = 0;
    lat_sum = 0;
}

void hist_add(uint64_t ns)
{
    hist[hidx(ns)]++;
    lat_n++;
    lat_sum += (double)ns;
    if (ns > lat_max)
        lat_max = ns;
}

double hist_mean(void)
{
    return lat_n ? lat_sum / (double)lat_n : 0;
}
uint64_t hist_max(void)
{
    return lat_max;
}
