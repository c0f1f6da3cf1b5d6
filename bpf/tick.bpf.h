/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A thread that loses its CPU inside a section keeps everybody from it for as long as the threads queued there have their
 * turns: many milliseconds, in which nobody can wait for it. So where others wait for the slot, a thread that has just
 * given it back lets a near tick pass before it goes on: the scheduler takes the CPU away at the return to the process, and
 * not some microseconds later, inside. It loses nothing but the rest of its slice. */
#ifndef RACEGUARD_TICK_BPF_H
#define RACEGUARD_TICK_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel_types.bpf.h"
#include "bpf/tick.h"

#define RG_PASS_TURNS (1u << 16) /* far more than a tick's window at 30 ns a turn; the clock ends it */

/* How far one CPU's tick_cpu_sched and __preempt_count are from its runqueues, as the kernel's BTF says: their symbols are
 * not everywhere in kallsyms. 0: not known. Set before the object is loaded. */
const volatile rg_s64 rg_tick_distance = 0;
const volatile rg_s64 rg_preempt_distance = 0;

/* Where the task runs, or is queued. */
static __always_inline struct rq *rg_rq_of(struct task_struct *task)
{
	struct cfs_rq *queue = 0;
	struct rq *rq = 0;

	if (!bpf_core_field_exists(queue->rq) || bpf_probe_read_kernel(&queue, sizeof(queue), &task->se.cfs_rq) ||
	    bpf_probe_read_kernel(&rq, sizeof(rq), &queue->rq))
		return 0;
	return rq;
}

/* When that CPU's next tick is due; 0: not known. */
static __always_inline rg_u64 rg_tick_of_ns(struct rq *rq)
{
	struct tick_sched *tick = (void *)rq + rg_tick_distance;
	rg_s64 due_ns = 0;

	if (!rq || !rg_tick_distance || bpf_probe_read_kernel(&due_ns, sizeof(due_ns), &tick->sched_timer.node.expires))
		return 0;
	return due_ns > 0 ? due_ns : 0;
}

/* Another task wants this CPU: only then does a tick take it away. */
static __always_inline int rg_cpu_is_wanted(struct rq *rq)
{
	rg_u32 running = 0;

	return rq && !bpf_probe_read_kernel(&running, sizeof(running), &rq->nr_running) && running > 1;
}

/* x86: bit 31 clear: the scheduler has decided already (arch/x86/include/asm/preempt.h). */
static __always_inline int rg_cpu_is_lost(struct rq *rq)
{
	rg_s32 count = -1;

	return rq && rg_preempt_distance && !bpf_probe_read_kernel(&count, sizeof(count), (void *)rq + rg_preempt_distance) &&
	       count >= 0;
}

/* First looks of waits at rg_cpu_is_lost(), and how many said so. */
volatile rg_u64 rg_first_looks = 0;
volatile rg_u64 rg_lost_looks = 0;

/* Whether a wait is to end for it. A kernel that keeps its count elsewhere than the BTF's offsets say would end every wait:
 * seen on 7.3. So it is believed only while most first looks find the CPU kept. */
static __always_inline int rg_gives_way(rg_u32 index, struct rq *rq)
{
	int is_lost = rg_cpu_is_lost(rq);

	if (!index) {
		__sync_fetch_and_add(&rg_first_looks, 1);
		if (is_lost)
			__sync_fetch_and_add(&rg_lost_looks, 1);
	}
	return is_lost && rg_lost_looks * 2 < rg_first_looks;
}

struct rg_pass {
	rg_u64 start_ns;
	rg_u64 now_ns;
	rg_u64 ahead_ns;
	struct rq *rq;
};

/* 1: passed. */
static long rg_pass_turn(rg_u32 index, struct rg_pass *pass)
{
	pass->now_ns = bpf_ktime_get_ns();
	return rg_cpu_is_lost(pass->rq) || !rg_tick_is_near(rg_tick_of_ns(pass->rq), pass->now_ns, pass->ahead_ns);
}

/* How long it took; 0: no tick is near, or nobody wants the CPU. */
static __always_inline rg_u64 rg_pass_tick(rg_u64 ahead_ns)
{
	struct rg_pass pass = {.ahead_ns = ahead_ns, .rq = rg_rq_of((struct task_struct *)bpf_get_current_task())};

	pass.start_ns = pass.now_ns = bpf_ktime_get_ns();
	if (!rg_tick_is_near(rg_tick_of_ns(pass.rq), pass.start_ns, ahead_ns) || !rg_cpu_is_wanted(pass.rq))
		return 0;
	bpf_loop(RG_PASS_TURNS, rg_pass_turn, &pass, 0);
	return pass.now_ns - pass.start_ns;
}

#endif
