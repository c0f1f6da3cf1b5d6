/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A rate limit without a timer: the generic cell rate algorithm (ITU-T I.371). Pure arithmetic, tested on the host. */
#ifndef RACEGUARD_RATE_LIMIT_H
#define RACEGUARD_RATE_LIMIT_H

#include "raceguard/abi/types.h"

struct rg_rate {
	rg_u64 due_ns; /* when the next event would be on schedule */
};

/* How far ahead of the schedule an event may come. */
enum rg_priority {
	RG_PRIORITY_IDLE,  /* none: a condition's wait, only while nothing else wants a sample */
	RG_PRIORITY_LOCK,  /* a burst of four */
	RG_PRIORITY_FIRST, /* a lock that is hardly known: a burst of 64 */
};

static inline rg_u64 rg_rate_burst(rg_u32 priority)
{
	return priority == RG_PRIORITY_FIRST ? 64 : priority == RG_PRIORITY_LOCK ? 4 : 1;
}

/* 1 if an event at now_ns may pass. interval_ns 0: none may. */
static inline int rg_rate_has_room(const struct rg_rate *rate, rg_u64 now_ns, rg_u64 interval_ns, rg_u32 priority)
{
	return interval_ns &&
	       (rate->due_ns <= now_ns || rate->due_ns - now_ns <= (rg_rate_burst(priority) - 1) * interval_ns);
}

/* The same, and it takes its place. */
static inline int rg_rate_take(struct rg_rate *rate, rg_u64 now_ns, rg_u64 interval_ns, rg_u32 priority)
{
	if (!rg_rate_has_room(rate, now_ns, interval_ns, priority))
		return 0;
	rate->due_ns = (rate->due_ns > now_ns ? rate->due_ns : now_ns) + interval_ns;
	return 1;
}

#endif
