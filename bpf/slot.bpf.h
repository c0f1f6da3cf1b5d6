/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Taking a slot, waiting for it, giving it back. */
#ifndef RACEGUARD_SLOT_BPF_H
#define RACEGUARD_SLOT_BPF_H

#include <bpf/bpf_core_read.h>

#include "bpf/intercept_maps.bpf.h"
#include "bpf/kernel_types.bpf.h"
#include "bpf/slot_word.h"
#include "bpf/tick.bpf.h"

#define RG_WAIT_TURNS (1u << 20) /* far more than 5 ms at 30 ns a turn; the clock ends it */
#define RG_LOOK_EACH 16 /* turns between two looks at whether the holder runs */

/* One call at a slot. `opened`: enum rg_fail_open + 1. */
struct rg_visit {
	rg_u64 start_ns;
	rg_u64 now_ns;
	struct rq *rq; /* of the CPU that the call is on */
	rg_u64 taken; /* the word, once the slot is taken */
	rg_u32 slot;
	rg_u32 tid;
	rg_u32 is_reader;
	rg_u32 opened;
	rg_u32 broke;
	rg_u32 pad;
};

/* 1 if the thread, which is not on a CPU, is queued on another one than this: whoever woke there before it is often done
 * within microseconds. One that sleeps, or that is queued behind this very wait, will not be back in time. */
static __always_inline int rg_may_be_back(struct task_struct *task, const struct rg_visit *visit)
{
	struct rq *rq = rg_rq_of(task);
	rg_u32 state = 1;

	return rq && visit->rq && rq != visit->rq && !bpf_probe_read_kernel(&state, sizeof(state), &task->__state) && !state;
}

/* The task that took the slot last, if `task` is told already; a stale pointer reads as another id, or not at all. */
static __always_inline int rg_holder_is_away(const struct rg_slot *slot, rg_u64 word, const struct rg_visit *visit)
{
	struct task_struct *task = (struct task_struct *)*(volatile rg_u64 *)&slot->task;
	int on_cpu = 1, pid = 0;

	if (!bpf_core_field_exists(task->on_cpu))
		return 1; /* a kernel for one CPU */
	if (bpf_probe_read_kernel(&pid, sizeof(pid), &task->pid) || (rg_u32)pid != rg_slot_tid(word) ||
	    bpf_probe_read_kernel(&on_cpu, sizeof(on_cpu), &task->on_cpu) || on_cpu)
		return 0;
	return !rg_may_be_back(task, visit);
}

static __always_inline void rg_sign(struct rg_slot *slot, const struct rg_visit *visit)
{
	if (!visit->is_reader || (visit->taken & RG_SLOT_READERS) == 1)
		*(volatile rg_u64 *)&slot->stamp = rg_slot_stamp(visit->taken, visit->now_ns);
	*(volatile rg_u64 *)&slot->task = bpf_get_current_task();
}

/* 1: taken. */
static __always_inline int rg_swap(struct rg_slot *slot, struct rg_visit *visit, rg_u64 word, rg_u64 next)
{
	if (__sync_val_compare_and_swap(&slot->word, word, next) != word)
		return 0;
	visit->taken = next;
	rg_sign(slot, visit);
	return 1;
}

/* One turn of the wait. 1: it is over. */
static long rg_wait_turn(rg_u32 index, struct rg_visit *visit)
{
	struct rg_slot *slot = bpf_map_lookup_elem(&rg_slots, &visit->slot);
	struct rg_patience limits = {.wait_ns = rg_wait_ns, .lease_ns = rg_lease_ns};
	rg_u64 word, next, age_ns;

	if (!slot)
		return 1;
	visit->now_ns = bpf_ktime_get_ns();
	word = *(volatile rg_u64 *)&slot->word;
	next = rg_slot_take(word, visit->tid, visit->is_reader);
	if (next)
		return rg_swap(slot, visit, word, next);
	if (!rg_may_wait) {
		visit->opened = RG_OPEN_ONE_CPU + 1;
		return 1;
	}
	if (rg_gives_way(index, visit->rq)) {
		visit->opened = RG_OPEN_CPU_LOST + 1;
		return 1;
	}
	age_ns = rg_slot_age_ns(word, *(volatile rg_u64 *)&slot->stamp, visit->now_ns);
	switch (rg_slot_judge(word, age_ns, visit->now_ns - visit->start_ns, &limits)) {
	case RG_SLOT_BREAK:
		visit->broke = rg_swap(slot, visit, word, rg_slot_begin(word, visit->tid, visit->is_reader));
		return visit->broke;
	case RG_SLOT_OPEN_LATE:
		visit->opened = rg_holder_is_away(slot, word, visit) ? RG_OPEN_HOLDER_OFF_CPU + 1 : RG_OPEN_HOLDER_LATE + 1;
		return 1;
	case RG_SLOT_OPEN_TIME_OUT:
		visit->opened = (word & RG_SLOT_READERS) == RG_SLOT_READERS ? RG_OPEN_READERS + 1 : RG_OPEN_TIME_OUT + 1;
		return 1;
	default:
		break;
	}
	if (index % RG_LOOK_EACH == 0 && (word & RG_SLOT_TAKEN) && rg_holder_is_away(slot, word, visit)) {
		visit->opened = RG_OPEN_HOLDER_OFF_CPU + 1;
		return 1;
	}
	if (!visit->is_reader && !(word & RG_SLOT_WANTED))
		__sync_val_compare_and_swap(&slot->word, word, word | RG_SLOT_WANTED);
	return 0;
}

static long rg_unwant_turn(rg_u32 index, rg_u32 *key)
{
	struct rg_slot *slot = bpf_map_lookup_elem(&rg_slots, key);
	rg_u64 word;

	if (!slot)
		return 1;
	word = *(volatile rg_u64 *)&slot->word;
	return !(word & RG_SLOT_WANTED) || __sync_val_compare_and_swap(&slot->word, word, word & ~RG_SLOT_WANTED) == word;
}

/* Who goes on without the slot leaves no wish behind. Another writer that still waits says his again at once. Loops
 * without an end of their own, here and below: a turn is lost only to another CPU that got on. */
static __always_inline void rg_unwant(rg_u32 slot)
{
	bpf_loop(RG_WAIT_TURNS, rg_unwant_turn, &slot, 0);
}

/* A slot that is free, or open for readers. 1: taken. */
static __always_inline int rg_try_slot(struct rg_slot *slot, struct rg_visit *visit)
{
	rg_u64 word = *(volatile rg_u64 *)&slot->word;
	rg_u64 next = rg_slot_take(word, visit->tid, visit->is_reader);

	return next && rg_swap(slot, visit, word, next);
}

static __always_inline void rg_wait_for_slot(struct rg_slot *slot, struct rg_visit *visit)
{
	rg_u64 strikes = *(volatile rg_u64 *)&slot->strikes;

	*(volatile rg_u64 *)&slot->waited_ns = visit->start_ns;
	if (rg_slot_is_hopeless(strikes)) {
		__sync_fetch_and_add(&slot->strikes, 1);
		visit->opened = RG_OPEN_OFTEN_LATE + 1;
		return;
	}
	visit->rq = rg_rq_of((struct task_struct *)bpf_get_current_task());
	bpf_loop(RG_WAIT_TURNS, rg_wait_turn, visit, 0);
	if (visit->taken) {
		if (strikes && !visit->broke)
			*(volatile rg_u64 *)&slot->strikes = 0;
		return;
	}
	if (!visit->opened)
		visit->opened = RG_OPEN_TIME_OUT + 1;
	if (visit->opened == RG_OPEN_TIME_OUT + 1)
		__sync_fetch_and_add(&slot->strikes, 1);
	rg_unwant(visit->slot);
}

static long rg_leave_turn(rg_u32 index, struct rg_frame *frame)
{
	struct rg_slot *slot = bpf_map_lookup_elem(&rg_slots, &frame->slot);
	rg_u64 word, next;

	if (!slot)
		return 1;
	word = *(volatile rg_u64 *)&slot->word;
	next = rg_slot_leave(word, frame->number, frame->is_reader);
	return next == word || __sync_val_compare_and_swap(&slot->word, word, next) == word;
}

static __always_inline void rg_leave_slot(const struct rg_frame *frame)
{
	struct rg_frame copy = *frame;

	bpf_loop(RG_WAIT_TURNS, rg_leave_turn, &copy, 0);
}

#endif
