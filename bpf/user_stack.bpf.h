/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A user stack as evidence: registers, and a copy of the stack for an unwinder, because most binaries of distributions
 * keep no frame pointers. */
#ifndef RACEGUARD_USER_STACK_BPF_H
#define RACEGUARD_USER_STACK_BPF_H

#include "bpf/kernel_types.bpf.h"

#include <bpf/bpf_helpers.h>

#include "raceguard/abi/bpf.h"

#define RG_PAGE_BYTES 4096

/* Copies up to RG_STACK_COPY_MAX_BYTES from `from` upwards, a page at a time, up to the first page that cannot be read:
 * a thread's stack seldom has 16 KB above its stack pointer, and one big copy would then give nothing. */
static __always_inline rg_u32 rg_copy_stack(rg_u8 *to, rg_u64 from)
{
	rg_u32 first = RG_PAGE_BYTES - (from & (RG_PAGE_BYTES - 1));
	int page;

	if (bpf_probe_read_user(to, first, (void *)from))
		return 0;
#pragma unroll
	for (page = 0; page < RG_STACK_COPY_MAX_BYTES / RG_PAGE_BYTES - 1; page++) {
		if (bpf_probe_read_user(to + first + page * RG_PAGE_BYTES, RG_PAGE_BYTES,
					(void *)(from + first + page * RG_PAGE_BYTES)))
			return first + page * RG_PAGE_BYTES;
	}
	return first + page * RG_PAGE_BYTES;
}

static __always_inline void rg_copy_registers(rg_u64 *to, struct pt_regs *regs)
{
	to[0] = regs->ax;
	to[1] = regs->dx;
	to[2] = regs->cx;
	to[3] = regs->bx;
	to[4] = regs->si;
	to[5] = regs->di;
	to[6] = regs->bp;
	to[7] = regs->sp;
	to[8] = regs->r8;
	to[9] = regs->r9;
	to[10] = regs->r10;
	to[11] = regs->r11;
	to[12] = regs->r12;
	to[13] = regs->r13;
	to[14] = regs->r14;
	to[15] = regs->r15;
	to[16] = regs->ip;
}

#endif
