/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fork, exec and exit: keeps the map of targets right without waiting for the daemon, and tells it. */
#ifndef RACEGUARD_TASK_LIFE_BPF_H
#define RACEGUARD_TASK_LIFE_BPF_H

#include "bpf/contention.bpf.h"

/* Not inlined, so that the record's type is in the object's BTF, where a test finds it. */
static __noinline int rg_fill_process(struct rg_record_process *record, struct task_struct *task)
{
	if (!record || !task)
		return 0;
	record->type = RG_RECORD_PROCESS;
	record->time_ns = bpf_ktime_get_ns();
	record->tgid = task->tgid;
	record->uid = (rg_u32)bpf_get_current_uid_gid();
	bpf_probe_read_kernel(record->comm, sizeof(record->comm), task->comm);
	return 0;
}

static __always_inline void rg_send_process(rg_u32 event, struct task_struct *task, rg_u32 parent_tgid, rg_u32 was_target)
{
	struct rg_record_process *record = bpf_ringbuf_reserve(&rg_ring, sizeof(*record), 0);

	if (!record) {
		rg_drop(RG_DROP_RING_FULL);
		return;
	}
	rg_fill_process(record, task);
	record->event = event;
	record->parent_tgid = parent_tgid;
	record->was_target = was_target;
	bpf_ringbuf_submit(record, 0);
}

/* sched_process_fork(struct task_struct *parent, struct task_struct *child): also for every new thread. */
SEC("tp_btf/sched_process_fork")
int rg_process_fork(__u64 *ctx)
{
	struct task_struct *parent = (struct task_struct *)ctx[0], *child = (struct task_struct *)ctx[1];
	rg_u32 parent_tgid = parent->tgid, tgid = child->tgid;
	struct rg_target *target, copy;
	int error;

	if (tgid == parent_tgid)
		return 0;
	target = bpf_map_lookup_elem(&rg_targets, &parent_tgid);
	if (!target) {
		/* An entry that the daemon added for a process that had just gone must not take in the next owner of its pid. */
		bpf_map_delete_elem(&rg_targets, &tgid);
		return 0;
	}
	copy = *target;
	error = bpf_map_update_elem(&rg_targets, &tgid, &copy, BPF_ANY);
	if (error)
		rg_drop_update(error, RG_DROP_TARGETS_FULL);
	rg_send_process(RG_PROCESS_FORK, child, parent_tgid, 1);
	return 0;
}

/* sched_process_exec(struct task_struct *task, pid_t old_pid, struct linux_binprm *): of every process, because new
 * targets are found by it. The image is another one now: whether it is a target is for the daemon to say. */
SEC("tp_btf/sched_process_exec")
int rg_process_exec(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	rg_u32 tgid = task->tgid;
	rg_u32 was_target = bpf_map_delete_elem(&rg_targets, &tgid) == 0;

	rg_send_process(RG_PROCESS_EXEC, task, 0, was_target);
	return 0;
}

/* sched_process_exit(struct task_struct *task): for every thread; `live` has been counted down before. */
SEC("tp_btf/sched_process_exit")
int rg_process_exit(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	rg_u32 tgid = task->tgid;
	rg_u64 pid_tgid = (rg_u64)tgid << 32 | (rg_u32)task->pid;
	struct rg_wait *wait = bpf_map_lookup_elem(&rg_waits, &pid_tgid);

	if (wait && wait->start_ns) /* killed while it waited */
		rg_leave_lock(pid_tgid, wait->address);
	bpf_map_delete_elem(&rg_waits, &pid_tgid); /* also of a process that was a target once */
	if (!bpf_map_lookup_elem(&rg_targets, &tgid))
		return 0;
	if (task->signal->live.counter)
		return 0;
	/* Two last threads may both get here; the one that removes the entry reports. */
	if (bpf_map_delete_elem(&rg_targets, &tgid) == 0)
		rg_send_process(RG_PROCESS_EXIT, task, 0, 1);
	return 0;
}

#endif
