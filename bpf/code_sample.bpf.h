/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sending where a thread is: registers, and enough of its stack to follow its next instructions and its callers'. */
#ifndef RACEGUARD_CODE_SAMPLE_BPF_H
#define RACEGUARD_CODE_SAMPLE_BPF_H

#include "bpf/drop.bpf.h"
#include "bpf/race_maps.bpf.h"
#include "bpf/user_stack.bpf.h"

/* All of it, or up to the end of its page. */
static __always_inline rg_u32 rg_copy_sampled_stack(rg_u8 *to, rg_u64 from)
{
	rg_u32 in_page = RG_PAGE_BYTES - (from & (RG_PAGE_BYTES - 1));

	if (!bpf_probe_read_user(to, RG_SAMPLE_STACK_BYTES, (void *)from))
		return RG_SAMPLE_STACK_BYTES;
	return bpf_probe_read_user(to, in_page, (void *)from) ? 0 : in_page;
}

/* Not inlined: so the type information names the record, and a test can compare its size. */
static __noinline int rg_fill_sample(struct rg_record_sample *record, struct pt_regs *regs)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid(), stack = regs->sp;

	record->type = RG_RECORD_SAMPLE;
	record->tgid = pid_tgid >> 32;
	record->tid = (rg_u32)pid_tgid;
	rg_copy_registers(record->registers, regs);
	record->red_zone_bytes = RG_RED_ZONE_BYTES;
	if (bpf_probe_read_user(record->red_zone, RG_RED_ZONE_BYTES, (void *)(stack - RG_RED_ZONE_BYTES)))
		record->red_zone_bytes = 0;
	record->stack_bytes = rg_copy_sampled_stack(record->stack, stack);
	if (!record->stack_bytes)
		rg_drop(RG_DROP_STACK_FAULT);
	return 0;
}

static __always_inline void rg_send_sample(struct pt_regs *regs, rg_u32 source, rg_u64 generation, rg_u64 now_ns)
{
	struct rg_record_sample *record = bpf_ringbuf_reserve(&rg_access_ring, sizeof(*record), 0);

	if (!record) {
		rg_drop(RG_DROP_RING_FULL);
		return;
	}
	record->source = source;
	record->time_ns = now_ns;
	record->generation = generation;
	rg_fill_sample(record, regs);
	bpf_ringbuf_submit(record, 0);
}

_Static_assert(RG_SAMPLE_STACK_BYTES == RG_PAGE_BYTES, "what is left of a page fits");

#endif
