/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The last access at a slot in one word: who, and under which locks. Pure arithmetic, tested on the host.
 * Bits: 0-21 thread id, 22-43 the same in the target's pid namespace, 44-51 the locks it held. 0: none yet. */
#ifndef RACEGUARD_LAST_ACCESS_H
#define RACEGUARD_LAST_ACCESS_H

#include "bpf/hold_word.h"

static inline rg_u64 rg_last_access(rg_u32 tid, rg_u32 namespace_tid, rg_u32 mine)
{
	return (rg_u64)(tid & RG_TID_MASK) | (rg_u64)(namespace_tid & RG_TID_MASK) << RG_TID_BITS |
	       (rg_u64)(mine & 0xff) << 2 * RG_TID_BITS;
}

static inline rg_u32 rg_last_tid(rg_u64 last)
{
	return (rg_u32)last & RG_TID_MASK;
}

/* 1 if the lock that `owner` holds now (its id in the namespace) was held by the last access, which was the owner's:
 * an access by `tid` without that lock has no order to it that the lock could give. */
static inline int rg_breaks_lock(rg_u64 last, rg_u32 tid, rg_u32 lock, rg_u32 owner)
{
	return rg_last_tid(last) != tid && ((rg_u32)(last >> RG_TID_BITS) & RG_TID_MASK) == owner &&
	       (last >> (2 * RG_TID_BITS + lock) & 1);
}

#endif
