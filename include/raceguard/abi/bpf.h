/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The structs that BPF programs and the daemon share. Declared here and nowhere else; sizes are asserted below and
 * compared with the object's BTF by a test. Times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns). */
#ifndef RACEGUARD_ABI_BPF_H
#define RACEGUARD_ABI_BPF_H

#include "drop_reasons.h"
#include "histogram.h"
#include "types.h"

#define RG_BPF_ABI_VERSION 5 /* in the object's rodata; the daemon refuses another one */

#define RG_COMM_LEN 16
#define RG_FRAME_POINTER_DEPTH 32
#define RG_STACK_COPY_MAX_BYTES 16384

/* ---- targets: key __u32 tgid ------------------------------------------------------------------------------- */
struct rg_target {
	rg_u32 target_id; /* index of the policy's target group, chosen by the daemon */
	rg_u32 flags;     /* RG_TARGET_* */
};
#define RG_TARGET_CONTENTION 0x1u
#define RG_TARGET_FUNCTIONS 0x2u
#define RG_TARGET_RESTS 0x4u /* instead of _CONTENTION: its futex calls are counted, for the budget, and not looked at */

/* ---- functions: array by function id ------------------------------------------------------------------------- */
enum rg_error_test {
	RG_ERROR_NEVER,
	RG_ERROR_EQUAL,
	RG_ERROR_NOT_EQUAL,
	RG_ERROR_LESS,
	RG_ERROR_LESS_EQUAL,
	RG_ERROR_GREATER,
	RG_ERROR_GREATER_EQUAL,
};

enum rg_slot_state {
	RG_SLOT_FREE = 0,      /* never had a probe: a hit counts as function_unknown */
	RG_SLOT_ACTIVE = 1,    /* hits count */
	RG_SLOT_ATTACHING = 2, /* entry or return is not there yet, or not any more: a hit is ignored, so that every counted call can return */
};

struct rg_function_config {
	rg_u64 slow_ns;       /* a call this long or longer is slow; 0: no threshold */
	rg_s64 error_operand; /* what the return value is compared with */
	rg_u32 target_id;     /* only hits of this target group count */
	rg_u32 cfa_offset;    /* stack pointer at the entry site + this = the caller's frame address (CFA) */
	rg_u8 error_test;     /* enum rg_error_test */
	rg_u8 return_bits;    /* width of the return value: 8, 16, 32, 64 */
	rg_u8 return_signed;
	rg_u8 in_use;         /* enum rg_slot_state */
	rg_u8 object_argument; /* 1..6: this argument points to an object whose members are watched; 0: none */
	rg_u8 return_shift; /* the returns of one call in 2^this are seen; RG_RETURNS_NONE: of none */
	rg_u8 pad[2];
};
#define RG_RETURNS_NONE 0xff

/* per-CPU array by function id; the daemon adds the CPUs up */
struct rg_function_counters {
	rg_u64 calls;   /* entries */
	rg_u64 awaited; /* of these, whose return is to be seen: all, or a sample (rg_function_config.return_shift) */
	rg_u64 returns; /* awaited entries that came back and were matched */
	rg_u64 errors;
	rg_u64 slow;
	rg_u64 total_ns;
	rg_u64 max_ns;
	rg_u64 foreign;  /* entries by processes that are no target of the function's: they pay for the probe too */
	rg_u64 timed;    /* returns at which the program's own time was taken: one of RG_TIMED_EACH on each CPU */
	rg_u64 timed_ns; /* that time, RG_TIMED_MAX_NS at most each */
	rg_u64 timed_long; /* of timed, those of RG_TIMED_LONG_NS or more ... */
	rg_u64 timed_long_ns; /* ... and their part of timed_ns */
	rg_u64 histogram[RG_HISTOGRAM_BUCKETS];
};

/* A power of two. Two looks at the clock for each return would cost a tenth of what they measure. */
#define RG_TIMED_EACH 32
/* A program that took longer had lost its CPU; one such time would pass for the mean of thousands. */
#define RG_TIMED_MAX_NS 200000
/* Some microseconds are usual. Longer ones are kept apart: few are a lost CPU, many are the program. */
#define RG_TIMED_LONG_NS 20000

/* calls in flight: kept by thread and frame */
struct rg_call_key {
	rg_u64 pid_tgid; /* tgid << 32 | tid */
	rg_u64 cfa;
	rg_u32 function_id;
	rg_u32 pad;
};
struct rg_call {
	rg_u64 entry_ns;
};

/* objects that a function with an object_argument was called with */
struct rg_object_key {
	rg_u64 address;
	rg_u32 tgid;
	rg_u32 function_id;
};
struct rg_object {
	rg_u64 last_ns; /* of the last call */
	rg_u32 first_tid;
	rg_u32 other_tid; /* the last thread that is not the first one; 0: none */
};

/* ---- contention -------------------------------------------------------------------------------------------- */
enum rg_wait_class {
	RG_WAIT_LOCK,      /* a lock's wait by its futex value (glibc's and Rust's mutex wait on 2, others on non-zero) */
	RG_WAIT_CONDITION, /* a condition variable, semaphore, join: idling. The stack of a sample may overrule both */
};

#define RG_FIRST_SAMPLES 8

struct rg_lock_key {
	rg_u64 address; /* of the futex word in the target's memory */
	rg_u32 tgid;
	rg_u32 pad;
};
struct rg_lock_counters {
	rg_u64 waits;         /* that ended: woken, timed out or interrupted; one that never slept (EAGAIN) is no wait */
	rg_u64 total_ns;
	rg_u64 max_ns;
	rg_u64 wakes;         /* futex wakes of this word by the target while somebody waited: its holders letting go */
	rg_u64 last_ns;       /* end of the last wait */
	rg_u32 wait_class;    /* enum rg_wait_class of the last wait */
	rg_u32 waiters;       /* waiting now */
	rg_u32 last_owner_tid; /* what glibc's mutex named as its owner when the last wait began; 0: unknown */
	rg_u32 samples;       /* stack samples sent for this lock so far; the first RG_FIRST_SAMPLES go before others */
	rg_u32 histogram[RG_HISTOGRAM_BUCKETS];
};

/* a wait in progress: key __u64 pid_tgid */
struct rg_wait {
	rg_u64 address;
	rg_u64 start_ns;
	rg_u32 wait_class;
	rg_u32 owner_tid;
	rg_u32 target_id;
	rg_u32 pad;
};

/* what the contention programs cost: per-CPU array by target id; the daemon adds the CPUs up */
struct rg_program_runs {
	rg_u64 runs;
	rg_u64 timed;    /* one of RG_TIMED_EACH on each CPU */
	rg_u64 timed_ns; /* their time, RG_TIMED_MAX_NS at most each */
};
struct rg_contention_counters {
	struct rg_program_runs calls; /* futex calls of watched targets, at their entry */
	struct rg_program_runs waits; /* of these, waits that ended */
	rg_u64 resting_calls;         /* futex calls of targets with RG_TARGET_RESTS */
};
#define RG_MAX_TARGET_GROUPS 256 /* policies, by target id */

/* ---- the ring: `type` is the first member of every record ---------------------------------------------------- */
enum rg_record_type {
	RG_RECORD_PROCESS = 1,
	RG_RECORD_STACK = 2,
};

enum rg_process_event { RG_PROCESS_FORK = 1, RG_PROCESS_EXEC = 2, RG_PROCESS_EXIT = 3 };

struct rg_record_process {
	rg_u32 type;
	rg_u32 event; /* enum rg_process_event */
	rg_u64 time_ns;
	rg_u32 tgid;
	rg_u32 parent_tgid; /* fork: of the parent; else 0 */
	rg_u32 was_target;  /* the process (fork: the parent) was in the map of targets */
	rg_u32 uid;
	char comm[RG_COMM_LEN];
};

/* A stack record in the ring ends after the valid bytes of stack[]: RG_STACK_HEADER_BYTES + stack_bytes long. */
enum rg_stack_role { RG_STACK_WAITER = 1, RG_STACK_HOLDER = 2 };

/* User registers that an unwinder needs, in DWARF's x86-64 order: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip. */
#define RG_DWARF_REGISTERS 17

struct rg_record_stack {
	rg_u32 type;
	rg_u32 role; /* enum rg_stack_role */
	rg_u64 time_ns;
	rg_u64 address;     /* of the lock */
	rg_u64 duration_ns; /* waiter: how long it waited; holder: 0 */
	rg_u32 tgid;
	rg_u32 tid;
	rg_u32 owner_tid;  /* waiter: who held the lock when the wait began, 0 unknown; holder: 0 */
	rg_u32 wait_class;
	rg_u32 frame_count; /* of frame_pointer_ips, bottom (innermost) first */
	rg_u32 stack_bytes; /* valid bytes of stack[], copied from registers[7] (rsp) upwards; 0: could not be read */
	rg_u64 registers[RG_DWARF_REGISTERS];
	rg_u64 frame_pointer_ips[RG_FRAME_POINTER_DEPTH];
	rg_u8 stack[RG_STACK_COPY_MAX_BYTES];
};

#define RG_STACK_HEADER_BYTES (sizeof(struct rg_record_stack) - RG_STACK_COPY_MAX_BYTES)

RG_STATIC_ASSERT(sizeof(struct rg_target) == 8, "rg_target");
RG_STATIC_ASSERT(sizeof(struct rg_function_config) == 32, "rg_function_config");
RG_STATIC_ASSERT(sizeof(struct rg_function_counters) == 96 + 8 * RG_HISTOGRAM_BUCKETS, "rg_function_counters");
RG_STATIC_ASSERT(sizeof(struct rg_call_key) == 24, "rg_call_key");
RG_STATIC_ASSERT(sizeof(struct rg_object_key) == 16, "rg_object_key");
RG_STATIC_ASSERT(sizeof(struct rg_object) == 16, "rg_object");
RG_STATIC_ASSERT(sizeof(struct rg_lock_key) == 16, "rg_lock_key");
RG_STATIC_ASSERT(sizeof(struct rg_lock_counters) == 56 + 4 * RG_HISTOGRAM_BUCKETS, "rg_lock_counters");
RG_STATIC_ASSERT(sizeof(struct rg_wait) == 32, "rg_wait");
RG_STATIC_ASSERT(sizeof(struct rg_contention_counters) == 56, "rg_contention_counters");
RG_STATIC_ASSERT(sizeof(struct rg_record_process) == 48, "rg_record_process");
RG_STATIC_ASSERT(sizeof(struct rg_record_stack) == 56 + 8 * RG_DWARF_REGISTERS + 8 * RG_FRAME_POINTER_DEPTH + RG_STACK_COPY_MAX_BYTES, "rg_record_stack");

#endif
