// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Keeps calls of functions from overlapping. An object of its own, loaded for each interception. Kernel floor: 6.1.
#include "bpf/kernel_types.bpf.h"

#include <bpf/bpf_helpers.h>

#include "bpf/section.bpf.h"

/* At the entry of each function, before it touches memory; the attach cookie is the function. */
SEC("uprobe")
int rg_enter_section(struct pt_regs *ctx)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid();
	rg_u32 function = (rg_u32)bpf_get_attach_cookie(ctx);
	struct rg_section_figures *figures = bpf_map_lookup_elem(&rg_section_figures, &function);
	struct rg_section *section = bpf_map_lookup_elem(&rg_sections, &function);
	struct rg_visit visit = {.tid = (rg_u32)pid_tgid};
	struct rg_thread *thread;

	if (!figures || !section)
		return 0;
	if (pid_tgid >> 32 != rg_intercepted_tgid) {
		__sync_fetch_and_add(&figures->foreign, 1);
		return 0;
	}
	if (!rg_intercept_on)
		return 0;
	__sync_fetch_and_add(&figures->calls, 1);
	thread = rg_thread_of(pid_tgid);
	if (!thread) {
		rg_open(figures, RG_OPEN_THREADS_FULL);
		return 0;
	}
	rg_leave_frames(thread, ctx->sp + section->cfa_offset, 0);
	if (rg_find_slot(ctx, section, &visit))
		rg_open(figures, RG_OPEN_KEY_FAULT);
	else
		rg_enter(thread, section, figures, &visit, ctx->sp + section->cfa_offset, function);
	return 0;
}

static __always_inline void rg_leave_up_to(rg_u64 cfa, int at_return)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid();
	struct rg_thread *thread;
	rg_u64 own;

	if (pid_tgid >> 32 != rg_intercepted_tgid)
		return;
	thread = bpf_map_lookup_elem(&rg_threads, &pid_tgid);
	if (!thread)
		return;
	own = rg_leave_frames(thread, cfa, at_return);
	if (own && !rg_has_slots(thread))
		rg_let_tick_pass((rg_u32)own - 1, own >> 32);
}

/* At each exit of a function, where the return address is still on the stack, or behind its return: the upper half of
 * the attach cookie says how many bytes are missing to the caller's stack pointer. */
SEC("uprobe")
int rg_leave_section(struct pt_regs *ctx)
{
	rg_leave_up_to(ctx->sp + (bpf_get_attach_cookie(ctx) >> 32), 1);
	return 0;
}

/* void *__cxa_begin_catch(void *exception), called by the function that catches: all frames below its own are gone. */
SEC("uprobe")
int rg_caught(struct pt_regs *ctx)
{
	rg_leave_up_to(ctx->sp + 8, 0);
	return 0;
}

/* sched_process_exit(struct task_struct *task): every thread, however it ends, in its own context. */
SEC("tp_btf/sched_process_exit")
int rg_intercepted_exit(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	if ((rg_u32)task->tgid == rg_intercepted_tgid)
		rg_end_thread((rg_u64)task->tgid << 32 | (rg_u32)task->pid);
	return 0;
}

/* sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state): how often who
 * has a slot leaves its CPU. */
SEC("tp_btf/sched_switch")
int rg_intercepted_switch(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[1];

	if ((rg_u32)task->tgid == rg_intercepted_tgid)
		rg_count_switch((rg_u64)task->tgid << 32 | (rg_u32)task->pid, !ctx[3]);
	return 0;
}

/* sched_process_exec(struct task_struct *task, pid_t old_pid, struct linux_binprm *): the thread has the number of its
 * process by now, whichever called exec. */
SEC("tp_btf/sched_process_exec")
int rg_intercepted_exec(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	if ((rg_u32)task->tgid == rg_intercepted_tgid) {
		rg_intercept_on = 0;
		rg_end_thread((rg_u64)task->tgid << 32 | (rg_u32)ctx[1]);
	}
	return 0;
}

char rg_license[] SEC("license") = "Dual BSD/GPL";
