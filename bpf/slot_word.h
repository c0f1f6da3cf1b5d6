/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who has a slot, in one word that changes by compare-and-swap alone. Pure arithmetic, tested on the host; the protocol
 * around it is modelled in tests/model/slot.pml.
 * Bits: 0-7 readers, 8 a writer has it, 9 a writer waits, 10-31 id of the thread that took it last, 32-63 number of the
 * tenure: from taking the free slot to giving it back, by all readers of an overlap. Whoever gives back names the
 * tenure, so that nobody gives back what was taken away from him by the lease. */
#ifndef RACEGUARD_SLOT_WORD_H
#define RACEGUARD_SLOT_WORD_H

#include "raceguard/abi/intercept.h"

#define RG_SLOT_READERS 0xffull
#define RG_SLOT_WRITER 0x100ull
#define RG_SLOT_WANTED 0x200ull /* a writer waits: readers that come now wait too, or he would never have his turn */
#define RG_SLOT_TAKEN (RG_SLOT_READERS | RG_SLOT_WRITER)
#define RG_SLOT_TID_MASK 0x3fffffu /* the kernel's PID_MAX_LIMIT is 4 Mi (include/linux/threads.h) */

#define RG_STRIKES 8        /* waits in vain, one after the other, after which only each so manieth call waits: */
#define RG_STRIKES_TRY 32

static inline rg_u32 rg_slot_number(rg_u64 word)
{
	return (rg_u32)(word >> 32);
}

static inline rg_u32 rg_slot_tid(rg_u64 word)
{
	return (rg_u32)(word >> 10) & RG_SLOT_TID_MASK;
}

static inline rg_u64 rg_slot_begin(rg_u64 word, rg_u32 tid, int is_reader)
{
	return ((word >> 32) + 1) << 32 | (rg_u64)(tid & RG_SLOT_TID_MASK) << 10 | (is_reader ? 1 : RG_SLOT_WRITER);
}

/* The word with the slot taken; 0: not now. */
static inline rg_u64 rg_slot_take(rg_u64 word, rg_u32 tid, int is_reader)
{
	if (!(word & RG_SLOT_TAKEN))
		return is_reader && (word & RG_SLOT_WANTED) ? 0 : rg_slot_begin(word, tid, is_reader);
	if (!is_reader || (word & (RG_SLOT_WRITER | RG_SLOT_WANTED)) || (word & RG_SLOT_READERS) == RG_SLOT_READERS)
		return 0;
	word &= ~((rg_u64)RG_SLOT_TID_MASK << 10);
	return (word | (rg_u64)(tid & RG_SLOT_TID_MASK) << 10) + 1;
}

/* The word with the slot given back; the same word: it is not this one's any more. */
static inline rg_u64 rg_slot_leave(rg_u64 word, rg_u32 number, int is_reader)
{
	if (rg_slot_number(word) != number || !(word & (is_reader ? RG_SLOT_READERS : RG_SLOT_WRITER)))
		return word;
	return is_reader ? word - 1 : word & ~RG_SLOT_WRITER;
}

/* When a tenure began, in units of 1024 ns: believed only with its own number. */
static inline rg_u64 rg_slot_stamp(rg_u64 word, rg_u64 now_ns)
{
	return (rg_u64)rg_slot_number(word) << 32 | (rg_u32)(now_ns >> 10);
}

/* How long the tenure has lasted; 0: not told yet. Wraps after 73 minutes. */
static inline rg_u64 rg_slot_age_ns(rg_u64 word, rg_u64 stamp, rg_u64 now_ns)
{
	rg_u32 age = (rg_u32)(now_ns >> 10) - (rg_u32)stamp;

	/* Stamps of other CPUs may be a little ahead. */
	return stamp >> 32 != word >> 32 || age > 0xf0000000u ? 0 : (rg_u64)age << 10;
}

/* What to do at a slot that others have. */
enum rg_slot_step { RG_SLOT_WAIT, RG_SLOT_BREAK, RG_SLOT_OPEN_LATE, RG_SLOT_OPEN_TIME_OUT };

struct rg_patience {
	rg_u64 wait_ns;
	rg_u64 lease_ns;
};

/* A writer is judged by how long he has had it. Readers relieve each other, so the age of their tenure says nothing until
 * nobody new was let in for the whole wait (RG_SLOT_WANTED). */
static inline enum rg_slot_step rg_slot_judge(rg_u64 word, rg_u64 age_ns, rg_u64 waited_ns, const struct rg_patience *limits)
{
	if (word & RG_SLOT_WRITER) {
		if (age_ns >= limits->lease_ns)
			return RG_SLOT_BREAK;
		if (age_ns >= limits->wait_ns + waited_ns)
			return RG_SLOT_OPEN_LATE;
	}
	if (waited_ns < limits->wait_ns)
		return RG_SLOT_WAIT;
	return (word & RG_SLOT_READERS) && age_ns >= limits->lease_ns ? RG_SLOT_BREAK : RG_SLOT_OPEN_TIME_OUT;
}

/* 1 if this call does not even try to wait. `calls` counts those at the slot that would have had to. */
static inline int rg_slot_is_hopeless(rg_u64 strikes)
{
	return strikes >= RG_STRIKES && (strikes - RG_STRIKES) % RG_STRIKES_TRY != RG_STRIKES_TRY - 1;
}

/* murmur3's finalizer: objects lie at multiples of 16 and more. */
static inline rg_u32 rg_slot_of_key(rg_u64 key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdull;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53ull;
	key ^= key >> 33;
	return (rg_u32)key & (RG_SLOTS - 1);
}

/* Stack pointers further apart than this are of two stacks (a signal's, a coroutine's) and say nothing about each other. */
#define RG_ONE_STACK_BYTES (1ull << 20)

/* 1 if the thread, about to be in a frame whose CFA is `cfa`, cannot be in the one of `other` any more. */
static inline int rg_frame_is_gone(rg_u64 other, rg_u64 cfa)
{
	return other <= cfa && cfa - other < RG_ONE_STACK_BYTES;
}

#endif
