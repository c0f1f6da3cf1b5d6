/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When the scheduler may take a CPU away from its thread: mostly in the tick (CONFIG_HZ, 1 to 10 ms), by which it sees that
 * the thread's slice is over. Pure arithmetic, tested on the host. */
#ifndef RACEGUARD_TICK_H
#define RACEGUARD_TICK_H

#include "raceguard/abi/types.h"

/* How late a tick may come and still be waited for; virtual machines are late by up to 0.1 ms. */
#define RG_TICK_LATE_NS 200000ull

/* 1: the tick comes within `ahead_ns`, or is late. tick_ns 0: not known. */
static inline int rg_tick_is_near(rg_u64 tick_ns, rg_u64 now_ns, rg_u64 ahead_ns)
{
	return ahead_ns && tick_ns && tick_ns <= now_ns + ahead_ns && now_ns <= tick_ns + RG_TICK_LATE_NS;
}

#endif
