/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is counted of a lock: who asked for it, who got it, how long it was held, what was held meanwhile. */
#ifndef RACEGUARD_BURST_COUNT_BPF_H
#define RACEGUARD_BURST_COUNT_BPF_H

#include "bpf/burst_maps.bpf.h"
#include "bpf/burst_record.bpf.h"
#include "bpf/drop.bpf.h"
#include "bpf/held_locks.h"

static __always_inline struct rg_burst_lock *rg_burst_lock_of(rg_u64 address, rg_u32 calls, rg_u32 tid)
{
	struct rg_burst_lock *lock = bpf_map_lookup_elem(&rg_burst_locks, &address);
	static const struct rg_burst_lock kNew;
	int error;

	if (lock)
		return lock;
	error = bpf_map_update_elem(&rg_burst_locks, &address, &kNew, BPF_NOEXIST);
	if (error && error != -RG_EEXIST)
		rg_drop_update(error, RG_DROP_BURST_LOCKS_FULL);
	lock = bpf_map_lookup_elem(&rg_burst_locks, &address);
	if (lock && !lock->first_tid) {
		lock->kind = calls & RG_CALL_KIND;
		lock->first_tid = tid;
	}
	return lock;
}

static __always_inline struct rg_burst_site *rg_burst_site_of(const struct rg_burst_site_key *key)
{
	struct rg_burst_site *site = bpf_map_lookup_elem(&rg_burst_sites, key);
	struct rg_burst_site none = {};
	int error;

	if (site)
		return site;
	error = bpf_map_update_elem(&rg_burst_sites, key, &none, BPF_NOEXIST);
	if (error && error != -RG_EEXIST)
		rg_drop_update(error, RG_DROP_BURST_SITES_FULL);
	return bpf_map_lookup_elem(&rg_burst_sites, key);
}

/* The lock at held[at] and the wanted one. */
static __noinline int rg_count_order(struct pt_regs *ctx, struct rg_burst_thread *thread, rg_u32 at,
				     const struct rg_burst_cause *wanted)
{
	struct rg_burst_cause cause;
	struct rg_burst_edge edge = {};
	struct rg_burst_edge *seen;
	int error;

	if (!thread || !wanted || at >= RG_HELD_LOCKS)
		return 0;
	cause = *wanted;
	cause.reason = RG_BURST_ORDER;
	cause.locks.held = thread->held[at].address;
	cause.locks.held_ip = thread->held[at].ip;
	cause.locks.held_calls = thread->held[at].calls;
	seen = bpf_map_lookup_elem(&rg_burst_edges, &cause.locks);
	if (seen) {
		__sync_fetch_and_add(&seen->count, 1);
		seen->last_ns = cause.time_ns;
		rg_keep_gates(thread, at, seen->gates);
		rg_note_thread(seen->threads, (rg_u32)bpf_get_current_pid_tgid());
		return 0;
	}
	edge.count = 1;
	edge.last_ns = cause.time_ns;
	edge.threads[0] = (rg_u32)bpf_get_current_pid_tgid();
	rg_first_gates(thread, at, edge.gates);
	error = bpf_map_update_elem(&rg_burst_edges, &cause.locks, &edge, BPF_NOEXIST);
	if (error && error != -RG_EEXIST)
		rg_drop_update(error, RG_DROP_BURST_ORDERS_FULL);
	if (!error)
		rg_send_burst(ctx, &cause);
	return 0;
}

/* The thread has the lock from now on. */
static __always_inline void rg_count_taken(struct rg_burst_thread *thread, const struct rg_burst_site_key *key, rg_u32 tid,
					   rg_u64 wait_ns)
{
	struct rg_burst_lock *lock = rg_burst_lock_of(key->address, key->calls, tid);
	struct rg_burst_site *site = bpf_map_lookup_elem(&rg_burst_sites, key);
	struct rg_held held = {.address = key->address, .ip = key->ip, .calls = key->calls};
	rg_u32 at = rg_find_held(thread, key->address);

	if (at < RG_HELD_LOCKS) {
		thread->held[at].depth++;
		return;
	}
	if (lock) {
		__sync_fetch_and_add(key->calls & RG_CALL_READ ? &lock->reads : &lock->writes, 1);
		if (wait_ns) {
			__sync_fetch_and_add(&lock->contended, 1);
			__sync_fetch_and_add(&lock->wait_ns, wait_ns);
		}
		if (lock->first_tid != tid)
			lock->other_tid = tid;
	}
	if (site)
		__sync_fetch_and_add(&site->taken, 1);
	held.since_ns = bpf_ktime_get_ns(); /* last of all: what this program takes is no part of the hold */
	if (!rg_push_held(thread, &held))
		rg_drop(RG_DROP_HELD_FULL);
}

static __always_inline void rg_count_hold(const struct rg_held *held, rg_u64 now_ns, rg_u64 release_ip)
{
	struct rg_burst_site_key key = {.address = held->address, .ip = held->ip, .calls = held->calls};
	struct rg_burst_lock *lock = bpf_map_lookup_elem(&rg_burst_locks, &key.address);
	struct rg_burst_site *site = bpf_map_lookup_elem(&rg_burst_sites, &key);
	rg_u64 hold_ns = now_ns > held->since_ns ? now_ns - held->since_ns : 0;

	if (lock) {
		__sync_fetch_and_add(&lock->holds, 1);
		__sync_fetch_and_add(&lock->hold_ns, hold_ns);
		__sync_fetch_and_add(&lock->histogram[rg_histogram_bucket(hold_ns) & (RG_HISTOGRAM_BUCKETS - 1)], 1);
		rg_raise(&lock->max_hold_ns, hold_ns);
	}
	if (site) {
		__sync_fetch_and_add(&site->holds, 1);
		__sync_fetch_and_add(&site->hold_ns, hold_ns);
		if (!site->release_ip)
			site->release_ip = release_ip;
		else if (site->release_ip != release_ip)
			site->other_release_ip = release_ip;
	}
}

#endif
