/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The arguments of the function that a uprobe sits in (System V x86-64 ABI, 3.2.3). */
#ifndef RACEGUARD_ARGUMENT_BPF_H
#define RACEGUARD_ARGUMENT_BPF_H

#include "bpf/kernel_types.bpf.h"
#include "raceguard/abi/types.h"

/* clang makes one load of several registers, at a chosen offset; the verifier wants a constant one. */
#define RG_REGISTER(ctx, name) ({                                                                           \
	rg_u64 value;                                                                                        \
	asm volatile("%0 = *(u64 *)(%1 + %2)"                                                                \
		     : "=r"(value)                                                                           \
		     : "r"(ctx), "i"(__builtin_offsetof(struct pt_regs, name)));                             \
	value;                                                                                               \
})

/* The caller's argument; the plan takes no site where it is not in its register any more. */
static __always_inline rg_u64 rg_argument(const struct pt_regs *ctx, rg_u8 number)
{
	switch (number) {
	case 1:
		return RG_REGISTER(ctx, di);
	case 2:
		return RG_REGISTER(ctx, si);
	case 3:
		return RG_REGISTER(ctx, dx);
	case 4:
		return RG_REGISTER(ctx, cx);
	case 5:
		return RG_REGISTER(ctx, r8);
	case 6:
		return RG_REGISTER(ctx, r9);
	default:
		return 0;
	}
}

#endif
