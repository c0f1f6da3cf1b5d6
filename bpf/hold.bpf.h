/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hold: a thread is kept right behind its access, and whoever touches the address meanwhile was not ordered after it
 * by anything the thread did since, nor before it, because it is itself still behind its own access. Both stand in the
 * exception of their access, with interrupts off, until each has seen the other. */
#ifndef RACEGUARD_HOLD_BPF_H
#define RACEGUARD_HOLD_BPF_H

#include "bpf/access_site.bpf.h"
#include "bpf/rate_limit.h"

/* How much longer than its limit a hold may last while an overlapping thread copies its stack (20 to 60 us in a nested
 * VM), and how long a writer whose value is there already may take to arrive in its exception. */
#define RG_REPORT_GRACE_NS 200000
#define RG_SETTLE_NS 20000
#define RG_SPIN_MAX (1u << 20) /* far more than 1 ms at 15 ns a turn; the clock ends it */
#define RG_SWAP_TRIES 4
/* To read the watched bytes is an access too, and ends in the exception that we come from: 1 us on a bare machine, 60 us
 * in a nested VM, twice a hold. So only one hold of so many looks whether the value changes. */
#define RG_HOLDS_PER_VALUE 8

struct rg_spin {
	rg_u64 start_ns;
	rg_u64 limit_ns;
	rg_u32 slot;
	rg_u32 pad;
};

static long rg_spin_once(rg_u32 index, struct rg_spin *spin)
{
	struct rg_hold *hold = bpf_map_lookup_elem(&rg_holds, &spin->slot);

	return !hold || rg_hold_is_over(*(volatile rg_u64 *)&hold->word, bpf_ktime_get_ns() - spin->start_ns, spin->limit_ns,
					RG_REPORT_GRACE_NS);
}

/* The watched bytes, out of the aligned word that they are in: a read of constant size is what every verifier takes. */
static __always_inline rg_u64 rg_read_value(const struct rg_watch *watch)
{
	rg_u64 word = 0, bits = 8ull * watch->length;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)(watch->address & ~7ull)))
		rg_drop(RG_DROP_VALUE_FAULT);
	word >>= 8 * (watch->address & 7);
	return bits >= 64 ? word : word & ((1ull << bits) - 1);
}

/* 1 and a place in the schedule if a hold is due. Who loses it to another CPU lets it go. An instruction that was never
 * held yet, on what another thread uses too, may come ahead of the schedule: a rare writer would else hardly ever find
 * it free beside frequent readers. */
static __always_inline int rg_hold_is_due(const struct rg_access *access, const struct rg_access_site *site)
{
	rg_u32 priority = access->behind_another && site && !site->holds ? RG_PRIORITY_LOCK : RG_PRIORITY_IDLE;
	struct rg_rate seen = {.due_ns = rg_hold_due_ns}, next = seen;

	return rg_rate_take(&next, access->now_ns, rg_hold_interval_ns, priority) &&
	       __sync_val_compare_and_swap(&rg_hold_due_ns, seen.due_ns, next.due_ns) == seen.due_ns;
}

/* Adds `what` to the word of this very hold. 1: done; 0: the hold is over, or too many others do the same. */
static __always_inline int rg_hold_add(struct rg_hold *hold, rg_u64 word, rg_u64 what)
{
	int i;

#pragma unroll
	for (i = 0; i < RG_SWAP_TRIES; i++) {
		rg_u64 found = __sync_val_compare_and_swap(&hold->word, word, word + what);

		if (found == word)
			return 1;
		if (!rg_hold_same(found, word))
			return 0;
		word = found;
	}
	return 0;
}

/* The other thread's side. */
static __always_inline void rg_overlap(struct pt_regs *ctx, struct rg_hold *hold, struct rg_watch_figures *figures,
				       const struct rg_access *access, rg_u64 word)
{
	struct rg_access_report report = {.role = RG_ACCESS_OVERLAPS, .pair = rg_hold_pair(word, access->slot)};
	rg_u64 held_ip = *(volatile rg_u64 *)&hold->ip; /* of this hold, if the swap below succeeds */

	if (rg_modes_are_harmless(rg_access_mode(access->generation, held_ip),
				  rg_access_mode(access->generation, access->ip))) {
		figures->harmless++;
		return;
	}
	if (!rg_hold_add(hold, word, RG_HOLD_OVERLAP))
		return;
	report.seen = rg_count_pair(access->generation, held_ip, access->ip);
	report.with_stack = report.seen && report.seen <= RG_PAIR_STACKS;
	hold->seen = report.seen;
	if (report.with_stack)
		hold->with_stack = 1;
	rg_send_access(ctx, access, &report);
	rg_hold_add(hold, word + RG_HOLD_OVERLAP, RG_HOLD_REPORTED);
}

static __always_inline void rg_keep(struct rg_spin *spin, rg_u64 limit_ns)
{
	spin->limit_ns = limit_ns;
	bpf_loop(RG_SPIN_MAX, rg_spin_once, spin, 0);
}

/* The held thread's side, from taking the slot to giving it back. */
static __always_inline void rg_hold_thread(struct pt_regs *ctx, const struct rg_watch *watch, struct rg_hold *hold,
					   struct rg_watch_figures *figures, struct rg_access_site *site,
					   const struct rg_access *access)
{
	struct rg_access_report report = {.role = RG_ACCESS_HELD};
	struct rg_spin spin = {.slot = access->slot};
	rg_u32 with_value;
	rg_u64 word;

	if (__sync_val_compare_and_swap(&hold->word, 0, RG_HOLD_PREPARING))
		return;
	if (site)
		__sync_fetch_and_add(&site->holds, 1);
	hold->ip = access->ip;
	hold->with_stack = 0;
	word = rg_hold_word(++hold->number, access->tid);
	with_value = hold->number % RG_HOLDS_PER_VALUE == 0;
	__sync_lock_test_and_set(&hold->word, word);

	spin.start_ns = bpf_ktime_get_ns();
	if (with_value)
		report.value_before = rg_read_value(watch);
	rg_keep(&spin, watch->hold_ns);
	if (with_value)
		report.value_after = rg_read_value(watch);
	if (report.value_after != report.value_before && !rg_hold_overlaps(*(volatile rg_u64 *)&hold->word))
		rg_keep(&spin, bpf_ktime_get_ns() - spin.start_ns + RG_SETTLE_NS);
	report.seen = *(volatile rg_u32 *)&hold->seen;
	report.with_stack = *(volatile rg_u32 *)&hold->with_stack;
	word = __sync_lock_test_and_set(&hold->word, 0);
	report.held_ns = bpf_ktime_get_ns() - spin.start_ns;

	report.overlaps = rg_hold_overlaps(word);
	figures->holds++;
	figures->hold_ns += report.held_ns;
	figures->overlaps += report.overlaps;
	if (!report.overlaps) {
		if (report.value_after == report.value_before)
			return;
		figures->value_changes++;
		report.seen = rg_count_pair(access->generation, access->ip, 0);
		report.with_stack = report.seen && report.seen <= RG_PAIR_STACKS;
	}
	report.pair = rg_hold_pair(word, access->slot);
	rg_send_access(ctx, access, &report);
}

#endif
