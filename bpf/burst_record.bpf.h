/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The stack of a thread that asks for a lock. */
#ifndef RACEGUARD_BURST_RECORD_BPF_H
#define RACEGUARD_BURST_RECORD_BPF_H

#include "bpf/burst_maps.bpf.h"
#include "bpf/drop.bpf.h"
#include "bpf/user_stack.bpf.h"

struct rg_burst_cause {
	rg_u32 reason;
	rg_u32 pad;
	rg_u64 time_ns;
	struct rg_burst_edge_key locks; /* SITE: without the held one */
};

static __always_inline rg_u32 rg_copy_burst_stack(rg_u8 *to, rg_u64 from)
{
	rg_u32 first = RG_PAGE_BYTES - (from & (RG_PAGE_BYTES - 1));

	if (bpf_probe_read_user(to, first, (void *)from))
		return 0;
	if (bpf_probe_read_user(to + first, RG_PAGE_BYTES, (void *)(from + first)))
		return first;
	return first + RG_PAGE_BYTES;
}

/* Not inlined: the verifier walks it once. */
static __noinline int rg_send_burst(struct pt_regs *ctx, const struct rg_burst_cause *cause)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid(), bytes;
	struct rg_burst_sampler *sampler;
	struct rg_record_burst *record;
	rg_u32 zero = 0;
	long walked;

	sampler = bpf_map_lookup_elem(&rg_burst_samplers, &zero);
	if (!sampler || !cause)
		return 0;
	if (__sync_fetch_and_add(&sampler->busy, 1)) {
		rg_drop(RG_DROP_SAMPLED_OUT);
		goto out;
	}
	record = &sampler->record;
	record->type = RG_RECORD_BURST;
	record->reason = cause->reason;
	record->time_ns = cause->time_ns;
	record->wanted = cause->locks.wanted;
	record->wanted_ip = cause->locks.wanted_ip;
	record->held = cause->locks.held;
	record->held_ip = cause->locks.held_ip;
	record->wanted_calls = cause->locks.wanted_calls;
	record->held_calls = cause->locks.held_calls;
	record->tgid = pid_tgid >> 32;
	record->tid = (rg_u32)pid_tgid;
	rg_copy_registers(record->registers, ctx);
	walked = bpf_get_stack(ctx, record->frame_pointer_ips, sizeof(record->frame_pointer_ips), BPF_F_USER_STACK);
	record->frame_count = walked > 0 ? walked / sizeof(rg_u64) : 0;
	record->stack_bytes = rg_copy_burst_stack(record->stack, ctx->sp);
	if (!record->stack_bytes)
		rg_drop(RG_DROP_STACK_FAULT);
	bytes = record->stack_bytes;
	barrier_var(bytes);
	if (bytes > RG_BURST_STACK_BYTES)
		bytes = RG_BURST_STACK_BYTES;
	if (bpf_ringbuf_output(&rg_burst_ring, record, RG_BURST_HEADER_BYTES + bytes, 0))
		rg_drop(RG_DROP_RING_FULL);
out:
	__sync_fetch_and_add(&sampler->busy, -1);
	return 0;
}

#endif
