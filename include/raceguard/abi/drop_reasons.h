/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every reason for which something can be lost, in one list: a BPF counter, a C++ name and a metric label each.
 * X(enumerator, "metric label", "what was lost and why") */
#ifndef RACEGUARD_ABI_DROP_REASONS_H
#define RACEGUARD_ABI_DROP_REASONS_H

#define RG_DROP_REASONS(X)                                                                                      \
	X(RG_DROP_RING_FULL, "ring_full", "an evidence record: the ring buffer had no room")                     \
	X(RG_DROP_TARGETS_FULL, "targets_full", "a forked process: the map of targets is full")                  \
	X(RG_DROP_WAITS_FULL, "waits_full", "a futex wait: the map of waits in progress is full")                \
	X(RG_DROP_LOCKS_FULL, "locks_full", "a futex wait's figures: the map of locks is full")                  \
	X(RG_DROP_CALLS_FULL, "calls_full", "a call's duration: the map of calls in flight is full")             \
	X(RG_DROP_CALL_UNMATCHED, "call_unmatched", "a return without a known entry (attached while in flight)") \
	X(RG_DROP_CALL_EXPIRED, "call_expired", "a call that never returned (longjmp, exception, thread end)")   \
	X(RG_DROP_STACK_FAULT, "stack_fault", "a user stack: reading it from the process failed")                \
	X(RG_DROP_SAMPLED_OUT, "sampled_out", "a stack sample: its rate limit was spent, or another was under way")  \
	X(RG_DROP_FUNCTION_UNKNOWN, "function_unknown", "a hit of a probe that the plan no longer has")          \
	X(RG_DROP_LOCK_FORGOTTEN, "lock_forgotten", "a wait's figures: its lock was forgotten during the wait")  \
	X(RG_DROP_OWNER_FAULT, "owner_fault", "a lock's owner: reading it from the process failed")              \
	X(RG_DROP_MAP_BUSY, "map_busy", "an entry: the kernel refused a map update for a reason other than full") \
	X(RG_DROP_SITES_FULL, "sites_full", "an access's figures: the map of access sites is full")              \
	X(RG_DROP_PAIRS_FULL, "pairs_full", "the count of a pair of accesses: the map of pairs is full")         \
	X(RG_DROP_VALUE_FAULT, "value_fault", "a watched value: reading it from the process failed")             \
	X(RG_DROP_PROGRAM_MISSED, "program_missed", "a hit: the kernel does not nest a program on one CPU (it counts that itself)") \
	X(RG_DROP_BURST_THREADS_FULL, "burst_threads_full", "a thread's locks: the map of a burst's threads is full") \
	X(RG_DROP_BURST_LOCKS_FULL, "burst_locks_full", "a lock's figures: the map of a burst's locks is full")  \
	X(RG_DROP_BURST_SITES_FULL, "burst_sites_full", "who took a lock: the map of a burst's sites is full")   \
	X(RG_DROP_BURST_ORDERS_FULL, "burst_orders_full", "the order of two locks: the map of a burst's orders is full") \
	X(RG_DROP_HELD_FULL, "held_full", "a lock: its thread holds more at once than are kept")

enum rg_drop_reason {
#define RG_DROP_ENUM(name, label, help) name,
	RG_DROP_REASONS(RG_DROP_ENUM)
#undef RG_DROP_ENUM
	RG_DROP_REASON_COUNT
};

#endif
