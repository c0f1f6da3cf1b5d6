/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A call of an intercepted function, from its entry on. What a thread has is in rg_threads, and only the thread itself
 * changes it: its programs do not interrupt each other. */
#ifndef RACEGUARD_SECTION_BPF_H
#define RACEGUARD_SECTION_BPF_H

#include "bpf/argument.bpf.h"
#include "bpf/raise.bpf.h"
#include "bpf/slot.bpf.h"

static __always_inline void rg_open(struct rg_section_figures *figures, rg_u32 reason)
{
	if (reason < RG_OPEN_COUNT)
		__sync_fetch_and_add(&figures->open[reason], 1);
}

static __always_inline struct rg_thread *rg_thread_of(rg_u64 pid_tgid)
{
	struct rg_thread *thread = bpf_map_lookup_elem(&rg_threads, &pid_tgid);
	struct rg_thread fresh = {};

	if (thread)
		return thread;
	bpf_map_update_elem(&rg_threads, &pid_tgid, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&rg_threads, &pid_tgid);
}

static __always_inline void rg_leave_frame(struct rg_frame *frame, rg_u32 how)
{
	struct rg_section_figures *figures = bpf_map_lookup_elem(&rg_section_figures, &frame->function);
	rg_u64 inside_ns = bpf_ktime_get_ns() - frame->entered_ns;

	rg_leave_slot(frame);
	frame->cfa = 0;
	if (!figures)
		return;
	__sync_fetch_and_add(&figures->back[how & 3], 1);
	if (how != RG_BACK_RETURN)
		return;
	__sync_fetch_and_add(&figures->inside_ns, inside_ns);
	rg_raise(&figures->max_inside_ns, inside_ns);
}

/* Behind a section for whose slot others wait these days. */
static __always_inline void rg_let_tick_pass(rg_u32 number, rg_u32 function)
{
	struct rg_slot *slot = bpf_map_lookup_elem(&rg_slots, &number);
	struct rg_section_figures *figures = bpf_map_lookup_elem(&rg_section_figures, &function);
	rg_u64 took_ns;

	if (!slot || !figures || !rg_intercept_on ||
	    bpf_ktime_get_ns() - *(volatile rg_u64 *)&slot->waited_ns > RG_CONTENDED_NS)
		return;
	took_ns = rg_pass_tick(rg_tick_ahead_ns);
	if (!took_ns)
		return;
	__sync_fetch_and_add(&figures->ticks, 1);
	__sync_fetch_and_add(&figures->tick_ns, took_ns);
}

/* What the verifier follows in numbers it follows once, and in pointers once for each that they may be: so no pointers
 * are kept from one turn of these loops to the next. */

/* Gives back what was taken by frames that the thread cannot be in any more; at a return that is also its own. Of that
 * one, if it had a slot: the function above the slot's number + 1; else 0. */
static __always_inline rg_u64 rg_leave_frames(struct rg_thread *thread, rg_u64 cfa, int at_return)
{
	rg_u64 own = 0;
	int i;

#pragma unroll
	for (i = 0; i < RG_FRAMES; i++) {
		struct rg_frame *frame = &thread->frames[i];
		rg_u32 how = RG_BACK_UNWOUND;

		if (!frame->cfa || !rg_frame_is_gone(frame->cfa, cfa))
			continue;
		if (at_return && frame->cfa == cfa) {
			own = (rg_u64)frame->function << 32 | (frame->slot + 1);
			how = RG_BACK_RETURN;
		}
		rg_leave_frame(frame, how);
	}
	return own;
}

static __always_inline int rg_has_slots(const struct rg_thread *thread)
{
	rg_u64 any = 0;
	int i;

#pragma unroll
	for (i = 0; i < RG_FRAMES; i++)
		any |= thread->frames[i].cfa;
	return any != 0;
}

static __always_inline void rg_end_thread(rg_u64 pid_tgid)
{
	struct rg_thread *thread = bpf_map_lookup_elem(&rg_threads, &pid_tgid);
	int i;

	if (!thread)
		return;
#pragma unroll
	for (i = 0; i < RG_FRAMES; i++)
		if (thread->frames[i].cfa)
			rg_leave_frame(&thread->frames[i], RG_BACK_EXIT);
	bpf_map_delete_elem(&rg_threads, &pid_tgid);
}

static __always_inline void rg_count_switch(rg_u64 pid_tgid, int still_runnable)
{
	struct rg_thread *thread = bpf_map_lookup_elem(&rg_threads, &pid_tgid);
	struct rg_section_figures *figures;
	rg_u32 function = RG_SECTIONS_MAX; /* of none */
	int i;

	if (!thread)
		return;
#pragma unroll
	for (i = 0; i < RG_FRAMES; i++)
		if (thread->frames[i].cfa)
			function = thread->frames[i].function;
	figures = bpf_map_lookup_elem(&rg_section_figures, &function);
	if (figures)
		__sync_fetch_and_add(still_runnable ? &figures->preempted : &figures->slept, 1);
}

/* 0, and visit->slot. */
static __always_inline int rg_find_slot(struct pt_regs *ctx, const struct rg_section *section, struct rg_visit *visit)
{
	rg_u64 key = section->key == RG_KEY_NONE ? 0 : section->offset;

	if (section->key == RG_KEY_ARGUMENT || section->key == RG_KEY_MEMBER)
		key += rg_argument(ctx, section->argument);
	if (section->key == RG_KEY_MEMBER || section->key == RG_KEY_GLOBAL) {
		rg_u32 bytes = section->bytes;
		rg_u64 value = 0;

		if (bytes > 8 || bpf_probe_read_user(&value, bytes, (void *)key))
			return 1;
		key = value;
	}
	visit->slot = rg_slot_of_key(key);
	return 0;
}

/* What the thread has already decides whether it may wait for more. */
enum rg_standing { RG_STANDS_IN_ORDER, RG_STANDS_OUT_OF_ORDER, RG_HAS_IT, RG_HAS_IT_AS_READER };

/* Slots are waited for in the order of their numbers, so that no two threads wait for each other. */
static __always_inline enum rg_standing rg_standing_of(const struct rg_thread *thread, rg_u32 slot, rg_u32 is_reader)
{
	enum rg_standing standing = RG_STANDS_IN_ORDER;
	int i;

#pragma unroll
	for (i = 0; i < RG_FRAMES; i++) {
		const struct rg_frame *frame = &thread->frames[i];

		if (!frame->cfa)
			continue;
		if (frame->slot == slot)
			return frame->is_reader && !is_reader ? RG_HAS_IT_AS_READER : RG_HAS_IT;
		if (frame->slot > slot)
			standing = RG_STANDS_OUT_OF_ORDER;
	}
	return standing;
}

/* Without branches: the upper bit of the sum is that of a frame whose address is 0. */
static __always_inline int rg_has_free_frame(const struct rg_thread *thread)
{
	rg_u64 zeros = 0;
	int i;

#pragma unroll
	for (i = 0; i < RG_FRAMES; i++)
		zeros |= (thread->frames[i].cfa - 1) & ~thread->frames[i].cfa;
	return zeros >> 63;
}

static __always_inline struct rg_frame *rg_free_frame(struct rg_thread *thread)
{
	int i;

#pragma unroll
	for (i = 0; i < RG_FRAMES; i++)
		if (!thread->frames[i].cfa)
			return &thread->frames[i];
	return 0;
}

static __always_inline void rg_count_wait(struct rg_section_figures *figures, const struct rg_visit *visit)
{
	rg_u64 wait_ns = bpf_ktime_get_ns() - visit->start_ns;

	__sync_fetch_and_add(&figures->waits, 1);
	__sync_fetch_and_add(&figures->wait_ns, wait_ns);
	rg_raise(&figures->max_wait_ns, wait_ns);
}

static __always_inline void rg_enter(struct rg_thread *thread, const struct rg_section *section,
				     struct rg_section_figures *figures, struct rg_visit *visit, rg_u64 cfa, rg_u32 function)
{
	rg_u32 is_reader = section->is_reader;
	enum rg_standing standing = rg_standing_of(thread, visit->slot, is_reader);
	struct rg_slot *slot = bpf_map_lookup_elem(&rg_slots, &visit->slot);
	struct rg_frame *frame;

	if (!slot)
		return;
	if (standing == RG_HAS_IT) {
		__sync_fetch_and_add(&figures->reentered, 1);
		return;
	}
	if (standing == RG_HAS_IT_AS_READER || !rg_has_free_frame(thread)) {
		rg_open(figures, standing == RG_HAS_IT_AS_READER ? RG_OPEN_UPGRADE : RG_OPEN_DEPTH);
		return;
	}
	visit->is_reader = is_reader;
	visit->start_ns = visit->now_ns = bpf_ktime_get_ns();
	if (!rg_try_slot(slot, visit)) {
		if (rg_dry_run) {
			rg_open(figures, RG_OPEN_DRY_RUN);
			return;
		}
		if (standing == RG_STANDS_OUT_OF_ORDER) {
			rg_open(figures, RG_OPEN_NESTED);
			return;
		}
		rg_wait_for_slot(slot, visit);
		rg_count_wait(figures, visit);
		if (!visit->taken) {
			rg_open(figures, visit->opened - 1);
			return;
		}
	}
	__sync_fetch_and_add(&figures->taken, 1);
	if (visit->broke)
		__sync_fetch_and_add(&figures->back[RG_BACK_LEASE], 1);
	frame = rg_free_frame(thread); /* only now: see above */
	if (!frame)
		return;
	frame->slot = visit->slot;
	frame->number = rg_slot_number(visit->taken);
	frame->is_reader = is_reader;
	frame->function = function;
	frame->entered_ns = visit->now_ns;
	frame->cfa = cfa;
}

#endif
