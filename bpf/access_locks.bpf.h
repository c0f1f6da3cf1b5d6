/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The locks around an access, read from the target's memory: a lockset without a probe on any lock. */
#ifndef RACEGUARD_ACCESS_LOCKS_BPF_H
#define RACEGUARD_ACCESS_LOCKS_BPF_H

#include "bpf/drop.bpf.h"
#include "bpf/last_access.h"
#include "bpf/lock_state.h"
#include "bpf/race_maps.bpf.h"

struct rg_access {
	rg_u64 now_ns;
	rg_u64 generation;
	rg_u64 ip;
	rg_u32 slot;
	rg_u32 tid;
	rg_u32 namespace_tid;
	rg_u32 lock_states; /* two bits each */
	rg_u32 held;        /* one bit each: MINE or TAKEN */
	rg_u32 broken;
	rg_u32 broken_lock;
	rg_u32 broken_owner;
	rg_u32 behind_another; /* the access before this one was another thread's */
};

static __always_inline rg_u32 rg_read_word(rg_u64 address, rg_u32 if_unreadable)
{
	rg_u32 word;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)address)) {
		rg_drop(RG_DROP_OWNER_FAULT);
		return if_unreadable;
	}
	return word;
}

/* A global function: the verifier walks it once and takes the result for any number, where it would else follow each
 * combination of eight locks' states. */
__noinline rg_u64 rg_read_lock(rg_u64 address, rg_u32 kind, rg_u32 me)
{
	switch (kind) {
	case RG_LOCK_PTHREAD_MUTEX:
		return rg_owner_state(rg_read_word(address + RG_MUTEX_OWNER_OFFSET, 0), me);
	case RG_LOCK_PTHREAD_RWLOCK:
		return rg_rwlock_state(rg_read_word(address + RG_RWLOCK_READERS_OFFSET, 0),
				       rg_read_word(address + RG_RWLOCK_WRITER_OFFSET, 0), me);
	case RG_LOCK_PTHREAD_SPIN:
		return rg_spin_state(rg_read_word(address, 1));
	case RG_LOCK_FUTEX_WORD:
		return rg_futex_word_state(rg_read_word(address, 0));
	default:
		return rg_lock_seen(RG_LOCK_IS_FREE, 0);
	}
}

/* The thread's id as glibc keeps it in a mutex: in the process's own pid namespace. */
static __always_inline rg_u32 rg_namespace_tid(const struct rg_watch *watch, rg_u32 tid)
{
	struct bpf_pidns_info ids = {};

	if (!watch->namespace_inode)
		return tid;
	if (bpf_get_ns_current_pid_tgid(watch->namespace_device, watch->namespace_inode, &ids, sizeof(ids)))
		return 0;
	return ids.pid;
}

static __always_inline void rg_read_locks(const struct rg_watch *watch, struct rg_hold *hold, struct rg_access *access)
{
	rg_u64 last = *(volatile rg_u64 *)&hold->last;
	rg_u32 i, mine = 0;

	for (i = 0; i < RG_CANDIDATE_LOCKS; i++) {
		rg_u64 seen;
		rg_u32 state;

		if (i >= watch->lock_count)
			break;
		seen = rg_read_lock(watch->locks[i].address, watch->locks[i].kind, access->namespace_tid);
		state = rg_seen_state(seen);
		access->lock_states |= state << 2 * i;
		mine |= (state == RG_LOCK_IS_MINE) << i;
		access->held |= (state & 1) << i; /* MINE or TAKEN */
		if (state == RG_LOCK_IS_OTHERS && rg_breaks_lock(last, access->tid, i, rg_seen_owner(seen))) {
			access->broken |= 1u << i;
			access->broken_lock = i;
			access->broken_owner = rg_last_tid(last);
		}
	}
	access->behind_another = last && rg_last_tid(last) != (access->tid & RG_TID_MASK);
	/* Another access came between: whom it would have been broken by is not known. */
	if (__sync_lock_test_and_set(&hold->last, rg_last_access(access->tid, access->namespace_tid, mine)) != last)
		access->broken = 0;
}

_Static_assert((RG_LOCK_IS_MINE & 1) && (RG_LOCK_IS_TAKEN & 1) && !(RG_LOCK_IS_FREE & 1) && !(RG_LOCK_IS_OTHERS & 1),
	       "the lowest bit of a state says that the access was under the lock, as far as can be told");

#endif
