/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sending an access to the daemon. */
#ifndef RACEGUARD_ACCESS_RECORD_BPF_H
#define RACEGUARD_ACCESS_RECORD_BPF_H

#include "bpf/access_locks.bpf.h"
#include "bpf/user_stack.bpf.h"

struct rg_access_report {
	rg_u32 role;
	rg_u32 with_stack;
	rg_u32 seen;
	rg_u32 overlaps;
	rg_u64 pair;
	rg_u64 value_before;
	rg_u64 value_after;
	rg_u64 held_ns;
};

static __always_inline void rg_fill_access(struct rg_record_access *record, const struct rg_access *access,
					   const struct rg_access_report *report)
{
	record->type = RG_RECORD_ACCESS;
	record->role = report->role;
	record->time_ns = access->now_ns;
	record->generation = access->generation;
	record->pair = report->pair;
	record->ip = access->ip;
	record->value_before = report->value_before;
	record->value_after = report->value_after;
	record->held_ns = report->held_ns;
	record->slot = access->slot;
	record->overlaps = report->overlaps;
	record->tgid = bpf_get_current_pid_tgid() >> 32;
	record->tid = access->tid;
	record->lock_states = access->lock_states;
	record->lock_owner = report->role == RG_ACCESS_LOCK_BROKEN ? access->broken_owner : 0;
	record->lock = report->role == RG_ACCESS_LOCK_BROKEN ? access->broken_lock : 0;
	record->seen = report->seen;
	record->frame_count = 0;
	record->stack_bytes = 0;
}

static __noinline int rg_send_access(struct pt_regs *ctx, const struct rg_access *access,
				     const struct rg_access_report *report)
{
	rg_u32 zero = 0;
	struct rg_record_access *record = bpf_map_lookup_elem(&rg_access_buffers, &zero);
	rg_u64 bytes;

	if (!record || !access || !report)
		return 0;
	rg_fill_access(record, access, report);
	rg_copy_registers(record->registers, ctx);
	if (report->with_stack) {
		long walked = bpf_get_stack(ctx, record->frame_pointer_ips, sizeof(record->frame_pointer_ips),
					    BPF_F_USER_STACK);

		record->frame_count = walked > 0 ? walked / sizeof(rg_u64) : 0;
		record->stack_bytes = rg_copy_stack(record->stack, record->registers[7]);
		if (!record->stack_bytes)
			rg_drop(RG_DROP_STACK_FAULT);
	}
	bytes = record->stack_bytes;
	barrier_var(bytes);
	if (bytes > RG_STACK_COPY_MAX_BYTES)
		bytes = RG_STACK_COPY_MAX_BYTES;
	if (bpf_ringbuf_output(&rg_access_ring, record, RG_ACCESS_HEADER_BYTES + bytes, 0))
		rg_drop(RG_DROP_RING_FULL);
	return 0;
}

#endif
