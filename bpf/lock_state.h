/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a lock's own memory says about who holds it. Pure arithmetic, tested on the host. Layouts: glibc 2.36,
 * sysdeps/nptl/bits/struct_mutex.h and struct_rwlock.h (unchanged since 2.30), sysdeps/x86_64/nptl/pthread_spin_lock.S. */
#ifndef RACEGUARD_LOCK_STATE_H
#define RACEGUARD_LOCK_STATE_H

#include "raceguard/abi/race.h"

#define RG_MUTEX_OWNER_OFFSET 8
#define RG_RWLOCK_READERS_OFFSET 0
#define RG_RWLOCK_WRITER_OFFSET 24
#define RG_RWLOCK_READER_SHIFT 3

/* A state and the owner's thread id (0: unknown), as one value. */
static inline rg_u64 rg_lock_seen(rg_u32 state, rg_u32 owner)
{
	return (rg_u64)owner << 2 | state;
}
static inline rg_u32 rg_seen_state(rg_u64 seen)
{
	return (rg_u32)seen & 3;
}
static inline rg_u32 rg_seen_owner(rg_u64 seen)
{
	return (rg_u32)(seen >> 2);
}

static inline rg_u64 rg_owner_state(rg_u32 owner, rg_u32 me)
{
	if (!owner)
		return rg_lock_seen(RG_LOCK_IS_FREE, 0);
	return rg_lock_seen(owner == me ? RG_LOCK_IS_MINE : RG_LOCK_IS_OTHERS, owner);
}

/* A writer is the owner; readers are only counted. */
static inline rg_u64 rg_rwlock_state(rg_u32 readers, rg_u32 writer, rg_u32 me)
{
	if (writer)
		return rg_owner_state(writer, me);
	return rg_lock_seen(readers >> RG_RWLOCK_READER_SHIFT ? RG_LOCK_IS_TAKEN : RG_LOCK_IS_FREE, 0);
}

static inline rg_u64 rg_spin_state(rg_s32 word)
{
	return rg_lock_seen(word <= 0 ? RG_LOCK_IS_TAKEN : RG_LOCK_IS_FREE, 0);
}

static inline rg_u64 rg_futex_word_state(rg_u32 word)
{
	return rg_lock_seen(word & 3 ? RG_LOCK_IS_TAKEN : RG_LOCK_IS_FREE, 0);
}

#endif
