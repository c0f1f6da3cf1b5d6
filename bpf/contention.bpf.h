/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lock contention: the futex system calls of the targets. An uncontended lock never comes here. */
#ifndef RACEGUARD_CONTENTION_BPF_H
#define RACEGUARD_CONTENTION_BPF_H

#include "bpf/futex_op.h"
#include "bpf/stack_sample.bpf.h"

#define RG_EAGAIN 11
#define RG_SYS_FUTEX 202 /* x86-64 */

static const struct rg_lock_counters rg_no_waits;

static __always_inline struct rg_lock_counters *rg_find_or_add_lock(const struct rg_lock_key *key)
{
	struct rg_lock_counters *lock = bpf_map_lookup_elem(&rg_locks, key);
	int error;

	if (lock)
		return lock;
	error = bpf_map_update_elem(&rg_locks, key, &rg_no_waits, BPF_NOEXIST);
	if (error && error != -RG_EEXIST) {
		rg_drop_update(error, RG_DROP_LOCKS_FULL);
		return 0;
	}
	return bpf_map_lookup_elem(&rg_locks, key);
}

/* Takes a wait out of its lock's waiters; returns the lock, 0 if there is none any more. */
static __always_inline struct rg_lock_counters *rg_leave_lock(rg_u64 pid_tgid, rg_u64 address)
{
	struct rg_lock_key key = {.address = address, .tgid = pid_tgid >> 32};
	struct rg_lock_counters *lock = bpf_map_lookup_elem(&rg_locks, &key);

	/* A lock that was forgotten and came again during the wait starts at 0 and must not go below. */
	if (lock && lock->waiters)
		__sync_fetch_and_add(&lock->waiters, -1);
	return lock;
}

static __always_inline rg_u32 rg_read_owner(rg_u64 address, rg_u32 operation, rg_u32 expected)
{
	rg_u32 owner = 0;

	if ((operation & FUTEX_CMD_MASK) != FUTEX_WAIT || expected != RG_GLIBC_MUTEX_CONTENDED)
		return 0;
	if (bpf_probe_read_user(&owner, sizeof(owner), (void *)(address + RG_GLIBC_MUTEX_OWNER_OFFSET))) {
		rg_drop(RG_DROP_OWNER_FAULT);
		return 0;
	}
	return owner;
}

static __always_inline rg_u32 rg_wait_class_at(rg_u64 address, rg_u32 operation, rg_u32 expected)
{
	struct rg_glibc_condition words;

	if (rg_may_be_glibc_condition(operation, expected) &&
	    !bpf_probe_read_user(&words, sizeof(words), (void *)rg_glibc_condition_around(address)) &&
	    rg_is_glibc_condition(&words))
		return RG_WAIT_CONDITION;
	return rg_wait_class_of(operation, expected);
}

/* The thread's entry stays when a wait ends, for its next one: to add and delete one each time is a quarter of what a
 * wait costs. */
static __always_inline int rg_keep_wait(rg_u64 pid_tgid, struct rg_wait *entry, const struct rg_wait *wait)
{
	int error;

	if (entry) {
		*entry = *wait;
		return 0;
	}
	error = bpf_map_update_elem(&rg_waits, &pid_tgid, wait, BPF_ANY);
	if (error)
		rg_drop_update(error, RG_DROP_WAITS_FULL);
	return error;
}

/* Counts a run; the time if this one is to be timed, else 0. */
static __always_inline rg_u64 rg_begin_run(struct rg_program_runs *program)
{
	return __sync_fetch_and_add(&program->runs, 1) & (RG_TIMED_EACH - 1) ? 0 : bpf_ktime_get_ns();
}

static __always_inline void rg_end_run(struct rg_program_runs *program, rg_u64 start_ns)
{
	rg_u64 took_ns;

	if (!start_ns)
		return;
	took_ns = bpf_ktime_get_ns() - start_ns;
	__sync_fetch_and_add(&program->timed, 1);
	__sync_fetch_and_add(&program->timed_ns, took_ns < RG_TIMED_MAX_NS ? took_ns : RG_TIMED_MAX_NS);
}

static __always_inline void rg_wait_begins(rg_u64 pid_tgid, rg_u32 target_id, rg_u64 address, rg_u32 operation,
					   rg_u32 expected)
{
	struct rg_wait *entry = bpf_map_lookup_elem(&rg_waits, &pid_tgid);
	struct rg_lock_key key = {.address = address, .tgid = pid_tgid >> 32};
	struct rg_wait wait = {.address = address, .target_id = target_id};
	struct rg_lock_counters *lock;

	if (entry && entry->start_ns) { /* one whose end was not seen */
		rg_leave_lock(pid_tgid, entry->address);
		entry->start_ns = 0;
	}
	lock = rg_find_or_add_lock(&key);
	if (!lock)
		return;
	wait.wait_class = rg_wait_class_at(address, operation, expected);
	wait.owner_tid = rg_read_owner(address, operation, expected);
	wait.start_ns = bpf_ktime_get_ns();
	if (rg_keep_wait(pid_tgid, entry, &wait))
		return;
	lock->wait_class = wait.wait_class;
	if (wait.owner_tid)
		lock->last_owner_tid = wait.owner_tid;
	__sync_fetch_and_add(&lock->waiters, 1);
}

static __always_inline void rg_wake(void *ctx, rg_u64 pid_tgid, rg_u64 address)
{
	struct rg_lock_key key = {.address = address, .tgid = pid_tgid >> 32};
	struct rg_sample_cause cause = {.address = address, .role = RG_STACK_HOLDER};
	struct rg_lock_counters *lock = bpf_map_lookup_elem(&rg_locks, &key);

	if (!lock || !lock->waiters) /* nobody is seen waiting here */
		return;
	__sync_fetch_and_add(&lock->wakes, 1);
	cause.now_ns = bpf_ktime_get_ns();
	rg_sample_stack(ctx, lock, &cause);
}

static __always_inline int rg_futex_enters(void *ctx, rg_u64 address, rg_u32 operation, rg_u32 expected, rg_u64 second)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid(), start_ns;
	rg_u32 tgid = pid_tgid >> 32, target_id;
	struct rg_target *target = bpf_map_lookup_elem(&rg_targets, &tgid);
	struct rg_contention_counters *figures;
	enum rg_futex_action action;

	if (!target || !(target->flags & (RG_TARGET_CONTENTION | RG_TARGET_RESTS)))
		return 0;
	target_id = target->target_id;
	figures = bpf_map_lookup_elem(&rg_contention_figures, &target_id);
	if (!figures) /* the daemon gives no such id */
		return 0;
	if (target->flags & RG_TARGET_RESTS) {
		__sync_fetch_and_add(&figures->resting_calls, 1);
		return 0;
	}
	start_ns = rg_begin_run(&figures->calls);
	action = rg_futex_action_of(operation);
	if (action == RG_FUTEX_IS_WAIT) {
		rg_wait_begins(pid_tgid, target_id, address, operation, expected);
	} else if (action == RG_FUTEX_IS_WAKE) {
		rg_wake(ctx, pid_tgid, address);
		if ((operation & FUTEX_CMD_MASK) == FUTEX_WAKE_OP)
			rg_wake(ctx, pid_tgid, second);
	}
	rg_end_run(&figures->calls, start_ns);
	return 0;
}

/* A wait that slept: into the figures of its lock. */
static __always_inline void rg_count_wait(void *ctx, struct rg_lock_counters *lock, const struct rg_wait *wait,
					  rg_u64 start_ns)
{
	struct rg_sample_cause cause = {.role = RG_STACK_WAITER};

	cause.now_ns = bpf_ktime_get_ns();
	cause.address = wait->address;
	cause.duration_ns = cause.now_ns - start_ns;
	cause.owner_tid = wait->owner_tid;
	__sync_fetch_and_add(&lock->waits, 1);
	__sync_fetch_and_add(&lock->total_ns, cause.duration_ns);
	__sync_fetch_and_add(&lock->histogram[rg_histogram_bucket(cause.duration_ns) & (RG_HISTOGRAM_BUCKETS - 1)], 1);
	rg_raise(&lock->max_ns, cause.duration_ns);
	lock->last_ns = cause.now_ns;
	rg_sample_stack(ctx, lock, &cause);
}

static __always_inline int rg_futex_exits(void *ctx, long result)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid(), start_ns, run_ns;
	struct rg_wait *wait = bpf_map_lookup_elem(&rg_waits, &pid_tgid);
	struct rg_contention_counters *figures;
	struct rg_lock_counters *lock;
	rg_u32 target_id;

	if (!wait || !wait->start_ns)
		return 0;
	target_id = wait->target_id;
	figures = bpf_map_lookup_elem(&rg_contention_figures, &target_id);
	if (!figures)
		return 0;
	run_ns = rg_begin_run(&figures->waits);
	start_ns = wait->start_ns;
	wait->start_ns = 0;
	lock = rg_leave_lock(pid_tgid, wait->address);
	if (result != -RG_EAGAIN) { /* else the value had changed already: it never slept */
		if (lock)
			rg_count_wait(ctx, lock, wait, start_ns);
		else
			rg_drop(RG_DROP_LOCK_FORGOTTEN);
	}
	rg_end_run(&figures->waits, run_ns);
	return 0;
}

/* Three ways to see the calls; the daemon loads the first that works. Each is an entry and an exit program.
 * futex(u32 *uaddr = rdi, int op = rsi, u32 val = rdx, timeout = r10, u32 *uaddr2 = r8, u32 val3 = r9) */

/* 1. The system call's own function, long __x64_sys_futex(const struct pt_regs *regs): other system calls cost nothing
 * more. Both tracepoints below make every system call of the machine take the kernel's slow path. */
SEC("fentry/__x64_sys_futex")
int rg_enter_function(__u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];

	return rg_futex_enters(ctx, regs->di, regs->si, regs->dx, regs->r8);
}

SEC("fexit/__x64_sys_futex")
int rg_exit_function(__u64 *ctx)
{
	return rg_futex_exits(ctx, (long)ctx[1]);
}

/* 2. Perf tracepoints of the one system call, for kernels without BPF trampolines. */
SEC("tp/syscalls/sys_enter_futex")
int rg_enter_futex(struct rg_sys_enter *ctx)
{
	return rg_futex_enters(ctx, ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[4]);
}

SEC("tp/syscalls/sys_exit_futex")
int rg_exit_futex(struct rg_sys_exit *ctx)
{
	return rg_futex_exits(ctx, ctx->result);
}

/* 3. Raw tracepoints of all system calls, where tracefs cannot be had either (not mounted, no CAP_SYS_ADMIN).
 * sys_enter(struct pt_regs *regs, long id), sys_exit(struct pt_regs *regs, long result) */
SEC("tp_btf/sys_enter")
int rg_enter_any(__u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];

	if (ctx[1] != RG_SYS_FUTEX)
		return 0;
	return rg_futex_enters(ctx, regs->di, regs->si, regs->dx, regs->r8);
}

SEC("tp_btf/sys_exit")
int rg_exit_any(__u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];

	if (regs->orig_ax != RG_SYS_FUTEX)
		return 0;
	return rg_futex_exits(ctx, (long)ctx[1]);
}

#endif
