/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a futex call does, by its operation and the value it expects. Pure arithmetic, tested on the host. */
#ifndef RACEGUARD_FUTEX_OP_H
#define RACEGUARD_FUTEX_OP_H

#include <linux/futex.h>

#include "raceguard/abi/bpf.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13 /* 5.14: bf22a6976897 ("futex: Provide FUTEX_LOCK_PI2 to support clock selection") */
#endif

enum rg_futex_action { RG_FUTEX_OTHER, RG_FUTEX_IS_WAIT, RG_FUTEX_IS_WAKE };

static inline enum rg_futex_action rg_futex_action_of(rg_u32 operation)
{
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET: /* Rust's std; glibc's timed and shared waits */
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		return RG_FUTEX_IS_WAIT;
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
	case FUTEX_WAKE_OP:
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_CMP_REQUEUE_PI:
	case FUTEX_UNLOCK_PI:
		return RG_FUTEX_IS_WAKE;
	default: /* TRYLOCK_PI does not wait */
		return RG_FUTEX_OTHER;
	}
}

/* The best guess from the call alone; the stack of a sample overrules it.
 * Waiting for a value other than 0 means that somebody has the lock: 2 in glibc's and Rust's mutex, 1 in InnoDB's, a
 * state word in read-write locks. 0 is "nothing has happened yet": condition variables (glibc before 2.41; for later ones
 * see below), semaphores, Go's notes. A parked Rust thread waits on 0xffffffff. A join waits for a thread's id, and shared. */
static inline enum rg_wait_class rg_wait_class_of(rg_u32 operation, rg_u32 expected)
{
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return RG_WAIT_LOCK;
	case FUTEX_WAIT_REQUEUE_PI:
		return RG_WAIT_CONDITION;
	}
	if (expected == 0 || expected == 0xffffffffu)
		return RG_WAIT_CONDITION;
	if (!(operation & FUTEX_PRIVATE_FLAG) && expected > 2)
		return RG_WAIT_CONDITION;
	return RG_WAIT_LOCK;
}

/* glibc's pthread_cond_t up to the two words that its waiters wait on (g_signals, the second at an odd multiple of 4).
 * Since 2.41 (glibc bug 25847) they expect a number there that grows with the signals, where they expected 0. */
struct rg_glibc_condition {
	rg_u64 wseq;     /* waiters that ever came, and in bit 0 the group that the newest belong to */
	rg_u64 g1_start; /* of these, where the older group begins, and a bit */
	rg_u32 group_size[2];
	rg_u32 older_group_size;
	rg_u32 wrefs; /* waiters now, from bit 3 on */
};

static inline rg_u64 rg_glibc_condition_around(rg_u64 address)
{
	return address - (address & 4) - sizeof(struct rg_glibc_condition);
}

static inline int rg_may_be_glibc_condition(rg_u32 operation, rg_u32 expected)
{
	return (operation & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET && (operation & FUTEX_PRIVATE_FLAG) && expected;
}

/* Whether what stands in front of the word can be a condition variable that somebody waits for. */
static inline int rg_is_glibc_condition(const struct rg_glibc_condition *words)
{
	rg_u64 came = (words->wseq >> 1) - (words->g1_start >> 1);
	rg_u32 waiters = words->wrefs >> 3, most = 1u << 22; /* PID_MAX_LIMIT */

	return waiters && waiters <= most && came && came <= 1u << 31 && words->group_size[0] <= most &&
	       words->group_size[1] <= most;
}

/* glibc's pthread_mutex_t: lock word, recursion count, owner's thread id. Its waiters expect 2. */
#define RG_GLIBC_MUTEX_CONTENDED 2
#define RG_GLIBC_MUTEX_OWNER_OFFSET 8

#endif
