/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who is held at a slot and who overlapped, in one word that changes by compare-and-swap: an overlap is counted for the
 * very hold it was seen in, or not at all. Pure arithmetic, tested on the host.
 * Bits: 0-7 overlaps, 8-15 of them reported, 16-37 the held thread's id, 38-63 number of the hold. 0: nobody is held. */
#ifndef RACEGUARD_HOLD_WORD_H
#define RACEGUARD_HOLD_WORD_H

#include "raceguard/abi/race.h"

#define RG_TID_BITS 22 /* the kernel's PID_MAX_LIMIT is 4 Mi (include/linux/threads.h) */
#define RG_TID_MASK ((1u << RG_TID_BITS) - 1)
#define RG_HOLD_PREPARING 1ull /* taken, but the holder has not said who it is: no overlap counts yet */
#define RG_HOLD_OVERLAP 1ull
#define RG_HOLD_REPORTED 0x100ull

static inline rg_u64 rg_hold_word(rg_u64 number, rg_u32 tid)
{
	return number << 38 | (rg_u64)(tid & RG_TID_MASK) << 16;
}

static inline rg_u32 rg_hold_tid(rg_u64 word)
{
	return (rg_u32)(word >> 16) & RG_TID_MASK;
}

static inline rg_u32 rg_hold_overlaps(rg_u64 word)
{
	return (rg_u32)word & 0xff;
}

static inline rg_u32 rg_hold_reported(rg_u64 word)
{
	return (rg_u32)(word >> 8) & 0xff;
}

/* The id of the pair in the records: number, thread and slot. */
static inline rg_u64 rg_hold_pair(rg_u64 word, rg_u32 slot)
{
	return word >> 16 << 2 | slot;
}

static inline int rg_hold_same(rg_u64 word, rg_u64 other)
{
	return word >> 16 == other >> 16;
}

/* 1 if an access by `tid` overlaps the hold and can still be counted. */
static inline int rg_hold_is_overlapped(rg_u64 word, rg_u32 tid)
{
	return rg_hold_tid(word) && rg_hold_tid(word) != tid && rg_hold_overlaps(word) < RG_HOLD_MAX_OVERLAPS;
}

/* 1 if a hold that has lasted for `held_ns` is over: at its time, or as soon as what overlapped was reported. The
 * report is waited for a little longer, so that the records come in order. */
static inline int rg_hold_is_over(rg_u64 word, rg_u64 held_ns, rg_u64 limit_ns, rg_u64 grace_ns)
{
	if (!rg_hold_overlaps(word))
		return held_ns >= limit_ns;
	return rg_hold_reported(word) >= rg_hold_overlaps(word) || held_ns >= limit_ns + grace_ns;
}

/* 1 if two accesses of these modes (enum rg_access_mode) are no race in whatever order. */
static inline int rg_modes_are_harmless(rg_u32 one, rg_u32 two)
{
	if (one == RG_ACCESS_MODE_UNKNOWN || two == RG_ACCESS_MODE_UNKNOWN)
		return 0;
	return one == two || one == RG_ACCESS_MODE_ATOMIC_READ || two == RG_ACCESS_MODE_ATOMIC_READ;
}

#endif
