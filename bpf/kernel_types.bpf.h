/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's types as far as these programs read them. Offsets come from the running kernel's BTF at load (CO-RE), so
 * neither the build machine's kernel nor the order of the members here matters. */
#ifndef RACEGUARD_KERNEL_TYPES_BPF_H
#define RACEGUARD_KERNEL_TYPES_BPF_H

#include <linux/bpf.h>

/* x86-64: the user's registers at its entry into the kernel. Part of the kernel's ABI (arch/x86/include/uapi/asm/ptrace.h,
 * bpf_user_pt_regs_t), so not relocated: an object that needs nothing else loads without the kernel's BTF. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long cs;
	unsigned long flags;
	unsigned long sp;
	unsigned long ss;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct { /* shared by the threads of a process */
	atomic_t live;   /* threads that have not exited */
};

struct rq { /* kernel/sched/sched.h; one for each CPU */
	unsigned int nr_running;
};

struct cfs_rq {
	struct rq *rq; /* absent without CONFIG_FAIR_GROUP_SCHED */
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
};

struct task_struct {
	struct sched_entity se;
	unsigned int __state; /* 0: it runs, or is queued for a CPU */
	int pid;
	int tgid;
	int on_cpu; /* absent in a kernel for one CPU */
	struct signal_struct *signal;
	char comm[16];
};

struct timerqueue_node {
	__s64 expires;
};

struct hrtimer {
	struct timerqueue_node node;
};

struct tick_sched { /* kernel/time/tick-sched.h; one for each CPU */
	struct hrtimer sched_timer;
};

#pragma clang attribute pop

/* What a perf program on a syscall tracepoint gets; the layout is what events/syscalls/NAME/format says, and stable. */
struct rg_sys_enter {
	__u64 header;
	long number;
	unsigned long args[6];
};
struct rg_sys_exit {
	__u64 header;
	long number;
	long result;
};

#endif
