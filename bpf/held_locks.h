/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The locks that a thread holds, in the order in which it took them, and what follows from them. Pure arithmetic, tested
 * on the host. Loops have constant bounds and plain indices, for the verifier. */
#ifndef RACEGUARD_HELD_LOCKS_H
#define RACEGUARD_HELD_LOCKS_H

#include "raceguard/abi/burst.h"

#define RG_NOT_HELD RG_HELD_LOCKS
#define RG_EOWNERDEAD 130 /* a robust mutex whose owner died: taken all the same */

/* Of an earlier burst: what was let go since is not known. */
static inline void rg_begin_burst(struct rg_burst_thread *thread, rg_u64 burst)
{
	if (thread->burst == burst)
		return;
	thread->burst = burst;
	thread->wanted = 0;
	thread->count = 0;
	thread->emptied = 0;
	thread->flags = 0;
}

/* A thread may hold locks since before the burst. Once it took some and let all go, and nothing more came to light, it is
 * believed to hold what is seen: else an outer lock of that time would be missing as a gate. */
static inline int rg_is_settled(const struct rg_burst_thread *thread)
{
	return thread->emptied > 0 && !(thread->flags & RG_THREAD_OVERFLOWED);
}

/* It lets a lock go that was not seen to be taken: which it held in all its orders of this burst. */
static inline void rg_doubt(struct rg_burst_thread *thread)
{
	if (thread->flags & RG_THREAD_ORDERED)
		thread->flags |= RG_THREAD_DOUBTED;
	thread->emptied = 0;
}

/* The index, or RG_NOT_HELD. */
static inline rg_u32 rg_find_held(const struct rg_burst_thread *thread, rg_u64 address)
{
	rg_u32 i, found = RG_NOT_HELD;

	for (i = 0; i < RG_HELD_LOCKS; i++) {
		if (i < thread->count && thread->held[i].address == address)
			found = i;
	}
	return found;
}

/* 0 if there is no room. */
static inline int rg_push_held(struct rg_burst_thread *thread, const struct rg_held *lock)
{
	rg_u32 at = thread->count;

	if (at >= RG_HELD_LOCKS) {
		thread->flags |= RG_THREAD_OVERFLOWED;
		return 0;
	}
	thread->held[at & (RG_HELD_LOCKS - 1)] = *lock;
	thread->count = at + 1;
	return 1;
}

/* Those above it move down, so that the order stays. */
static inline void rg_remove_held(struct rg_burst_thread *thread, rg_u32 at)
{
	rg_u32 i;

	for (i = 0; i + 1 < RG_HELD_LOCKS; i++) {
		if (i >= at)
			thread->held[i] = thread->held[i + 1];
	}
	if (thread->count > 0)
		thread->count--;
	if (!thread->count)
		thread->emptied++;
}

/* Who waits for a lock while it holds another one is part of a deadlock only if it can wait for ever. */
static inline int rg_makes_order(rg_u32 calls)
{
	return !(calls & (RG_CALL_TRY | RG_CALL_TIMED | RG_CALL_CONDITION));
}

/* 1 if a call that asks for the lock now gets it at once, by the lock's own words; a call that must ask its result does
 * not. Layouts as in lock_state.h; of a rwlock bit 1 says that a writer has it or waits for its readers, bits 3 and
 * above count readers (glibc 2.36, nptl/pthread_rwlock_common.c). */
static inline int rg_is_free(rg_u32 calls, rg_u32 word)
{
	if (calls & (RG_CALL_TRY | RG_CALL_CONDITION))
		return 0;
	switch (calls & RG_CALL_KIND) {
	case RG_LOCK_PTHREAD_MUTEX:
		return word == 0;
	case RG_LOCK_PTHREAD_RWLOCK:
		return !(word & 2) && ((calls & RG_CALL_READ) || !(word >> 3));
	default:
		return 0;
	}
}

/* 1 if a call with this result has the lock. A condition's wait has it whatever its result. */
static inline int rg_was_taken(rg_u32 calls, rg_s32 result)
{
	return result == 0 || (calls & RG_CALL_CONDITION) ||
	       ((calls & RG_CALL_KIND) == RG_LOCK_PTHREAD_MUTEX && result == RG_EOWNERDEAD);
}

/* The locks that guard the edge from held[from] on: taken before it, for writing. Nobody else can be between the two
 * locks of an edge that has the same one. */
static inline void rg_first_gates(const struct rg_burst_thread *thread, rg_u32 from, rg_u64 *gates)
{
	rg_u32 i;

	for (i = 0; i < RG_EDGE_GATES; i++)
		gates[i] = i < from && !(thread->held[i].calls & RG_CALL_READ) ? thread->held[i].address : 0;
}

static inline int rg_is_gate(const struct rg_burst_thread *thread, rg_u32 from, rg_u64 address)
{
	rg_u32 i;

	for (i = 0; i < RG_HELD_LOCKS; i++) {
		if (i < from && thread->held[i].address == address && !(thread->held[i].calls & RG_CALL_READ))
			return 1;
	}
	return 0;
}

/* Leaves the gates that were held this time too. Entries only ever become 0: two CPUs at it do no harm. */
static inline void rg_keep_gates(const struct rg_burst_thread *thread, rg_u32 from, rg_u64 *gates)
{
	rg_u32 i;

	for (i = 0; i < RG_EDGE_GATES; i++) {
		if (gates[i] && !rg_is_gate(thread, from, gates[i]))
			gates[i] = 0;
	}
}

/* Adds a thread to those of an edge, if it is none of the first four. */
static inline void rg_note_thread(rg_u32 *threads, rg_u32 tid)
{
	rg_u32 i;

	for (i = 0; i < RG_EDGE_THREADS; i++) {
		if (threads[i] == tid)
			return;
		if (!threads[i]) {
			threads[i] = tid;
			return;
		}
	}
}

#endif
