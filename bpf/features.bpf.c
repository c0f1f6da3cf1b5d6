// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Programs that do nothing: each is loaded alone, to learn whether the kernel takes it, or to measure what a hit costs.
#include "bpf/kernel_types.bpf.h"

#include <bpf/bpf_helpers.h>

SEC("uprobe")
int rg_empty_uprobe(struct pt_regs *ctx)
{
	return 0;
}

/* Attached to both tracepoints of one system call. */
SEC("tp/syscalls/sys_enter_getppid")
int rg_empty_tracepoint(void *ctx)
{
	return 0;
}

/* 1: the overflow counts (PERF_EVENT_IOC_REFRESH); nothing is written to a buffer, because there is none. */
SEC("perf_event")
int rg_empty_watch(void *ctx)
{
	return 1;
}

/* long __x64_sys_futex(const struct pt_regs *regs); never attached */
SEC("fentry/__x64_sys_futex")
int rg_try_fentry(__u64 *ctx)
{
	return 0;
}

/* Never attached. */
SEC("uprobe")
int rg_try_write_user(struct pt_regs *ctx)
{
	char byte = 0;

	bpf_probe_write_user((void *)ctx->sp, &byte, sizeof(byte));
	return 0;
}

/* Never attached. The context is written at its plain offset: a relocated access would be one more thing to fail. */
SEC("uprobe")
int rg_try_write_register(__u64 *ctx)
{
	ctx[10] = 0; /* pt_regs.ax */
	return 0;
}

char rg_license[] SEC("license") = "Dual BSD/GPL";
