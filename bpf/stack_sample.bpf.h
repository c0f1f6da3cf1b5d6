/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The user stack of the current thread, as evidence for a lock. */
#ifndef RACEGUARD_STACK_SAMPLE_BPF_H
#define RACEGUARD_STACK_SAMPLE_BPF_H

#include "bpf/drop.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/settings.bpf.h"
#include "bpf/user_stack.bpf.h"

static __always_inline rg_u32 rg_priority_of(const struct rg_lock_counters *lock)
{
	if (lock->samples < RG_FIRST_SAMPLES)
		return RG_PRIORITY_FIRST;
	return lock->wait_class == RG_WAIT_CONDITION ? RG_PRIORITY_IDLE : RG_PRIORITY_LOCK;
}

struct rg_sample_cause {
	rg_u64 now_ns;
	rg_u64 address;
	rg_u64 duration_ns;
	rg_u32 role;
	rg_u32 owner_tid;
};

static __always_inline void rg_fill_stack(void *ctx, struct rg_record_stack *record, const struct rg_lock_counters *lock,
					  const struct rg_sample_cause *cause)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	rg_u64 pid_tgid = bpf_get_current_pid_tgid();
	long walked;

	record->type = RG_RECORD_STACK;
	record->role = cause->role;
	record->time_ns = cause->now_ns;
	record->address = cause->address;
	record->duration_ns = cause->duration_ns;
	record->tgid = pid_tgid >> 32;
	record->tid = (rg_u32)pid_tgid;
	record->owner_tid = cause->owner_tid;
	record->wait_class = lock->wait_class;
	rg_copy_registers(record->registers, regs);
	walked = bpf_get_stack(ctx, record->frame_pointer_ips, sizeof(record->frame_pointer_ips), BPF_F_USER_STACK);
	record->frame_count = walked > 0 ? walked / sizeof(rg_u64) : 0;
	record->stack_bytes = rg_copy_stack(record->stack, record->registers[7]);
	if (!record->stack_bytes)
		rg_drop(RG_DROP_STACK_FAULT);
}

/* Sends one sample if the rate still allows it. Not inlined: the verifier walks it once. */
static __noinline int rg_send_stack(void *ctx, struct rg_lock_counters *lock, const struct rg_sample_cause *cause)
{
	rg_u32 zero = 0;
	struct rg_sampler *sampler = bpf_map_lookup_elem(&rg_samplers, &zero);
	rg_u64 bytes;

	if (!sampler || !lock || !cause)
		return 0;
	if (__sync_fetch_and_add(&sampler->busy, 1) ||
	    !rg_rate_take(&sampler->rate, cause->now_ns, rg_sample_interval_ns, rg_priority_of(lock))) {
		rg_drop(RG_DROP_SAMPLED_OUT);
		goto out;
	}
	rg_fill_stack(ctx, &sampler->record, lock, cause);
	bytes = sampler->record.stack_bytes;
	barrier_var(bytes);
	if (bytes > RG_STACK_COPY_MAX_BYTES)
		bytes = RG_STACK_COPY_MAX_BYTES;
	if (bpf_ringbuf_output(&rg_ring, &sampler->record, RG_STACK_HEADER_BYTES + bytes, 0))
		rg_drop(RG_DROP_RING_FULL);
	else
		__sync_fetch_and_add(&lock->samples, 1);
out:
	__sync_fetch_and_add(&sampler->busy, -1);
	return 0;
}

/* A sample of this lock, unless the rate is spent already: so it is nearly always, and that must be cheap. */
static __always_inline void rg_sample_stack(void *ctx, struct rg_lock_counters *lock, const struct rg_sample_cause *cause)
{
	rg_u32 zero = 0;
	struct rg_sampler *sampler = bpf_map_lookup_elem(&rg_samplers, &zero);

	if (sampler && rg_rate_has_room(&sampler->rate, cause->now_ns, rg_sample_interval_ns, rg_priority_of(lock)))
		rg_send_stack(ctx, lock, cause);
	else
		rg_drop(RG_DROP_SAMPLED_OUT);
}

#endif
