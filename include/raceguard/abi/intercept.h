/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the intercept object (bpf/intercept.bpf.c) and user space share: functions whose calls are kept apart. Times are
 * CLOCK_MONOTONIC nanoseconds. The idea: LOOM (Wu, Cui, Yang: Bypassing Races in Live Applications with Execution
 * Filters, OSDI'10), which needs a compiler pass beforehand. */
#ifndef RACEGUARD_ABI_INTERCEPT_H
#define RACEGUARD_ABI_INTERCEPT_H

#include "types.h"

#define RG_INTERCEPT_ABI_VERSION 2

#define RG_SECTIONS_MAX 16       /* functions of one interception */
#define RG_SLOTS 1024            /* a power of two; keys that share a slot wait for each other */
#define RG_FRAMES 4              /* slots that one thread may have at once */
#define RG_INTERCEPTED_THREADS 16384
#define RG_WAIT_MAX_NS 5000000ull

/* ---- rg_sections: array by function; written before the probes are attached ------------------------------------- */
enum rg_key_kind {
	RG_KEY_NONE,     /* one slot for all calls */
	RG_KEY_ARGUMENT, /* the argument's value: as a rule the object */
	RG_KEY_MEMBER,   /* what is in memory at argument + offset */
	RG_KEY_GLOBAL,   /* what is in memory at `offset` */
};

struct rg_section {
	rg_u64 offset;
	rg_u32 key;        /* enum rg_key_kind */
	rg_u32 argument;   /* 1..6 */
	rg_u32 bytes;      /* of the memory that is the key: 1, 2, 4, 8 */
	rg_u32 cfa_offset; /* stack pointer at the probe + this = the caller's after the call */
	rg_u32 is_reader;  /* 1: calls of readers may overlap each other */
	rg_u32 pad;
};

/* ---- rg_slots: array by hash of the key; written by the programs alone -------------------------------------------- */
struct rg_slot {
	rg_u64 word;    /* who has it: bpf/slot_word.h */
	rg_u64 stamp;   /* when they took it: bpf/slot_word.h */
	rg_u64 task;    /* kernel address of who took it last; believed only if its id is that in `word` */
	rg_u64 strikes; /* waits in a row that were in vain */
	rg_u64 waited_ns; /* when a call had to wait for it last */
	rg_u64 pad[3];  /* a cache line each */
};

/* ---- rg_threads: hash by pid_tgid; written by the thread itself, and at its end ------------------------------------ */
struct rg_frame {
	rg_u64 cfa;        /* the call that took it; 0: free */
	rg_u64 entered_ns;
	rg_u32 slot;
	rg_u32 number;     /* of the tenure */
	rg_u32 is_reader;
	rg_u32 function;
};
struct rg_thread {
	struct rg_frame frames[RG_FRAMES];
};

/* ---- rg_section_figures: per-CPU array by function; grows only ------------------------------------------------------ */
/* Why a call went on without the slot. X(enumerator, "label", "help"); part of docs/interception.md. */
#define RG_FAIL_OPEN_REASONS(X)                                                                                    \
	X(RG_OPEN_TIME_OUT, "time_out", "the slot did not come free within the wait limit")                         \
	X(RG_OPEN_HOLDER_OFF_CPU, "holder_off_cpu", "who had the slot was not on a CPU: waiting could not have helped") \
	X(RG_OPEN_HOLDER_LATE, "holder_late", "who had the slot had had it for longer than the wait limit already") \
	X(RG_OPEN_OFTEN_LATE, "often_late", "the last waits for this slot were all in vain")                        \
	X(RG_OPEN_ONE_CPU, "one_cpu", "only one CPU is online: waiting could not have helped")                      \
	X(RG_OPEN_CPU_LOST, "cpu_lost", "the scheduler was taking the caller's own CPU away: with the slot it would have kept others from it") \
	X(RG_OPEN_NESTED, "nested", "the thread has a slot that may be waited for in the other order")              \
	X(RG_OPEN_UPGRADE, "upgrade", "the thread has the slot as a reader already and came back as a writer")      \
	X(RG_OPEN_DEPTH, "depth", "the thread has four slots already")                                              \
	X(RG_OPEN_READERS, "readers", "255 readers have the slot")                                                  \
	X(RG_OPEN_KEY_FAULT, "key_fault", "the key's memory could not be read")                                     \
	X(RG_OPEN_THREADS_FULL, "threads_full", "more than 16384 threads came here")                                \
	X(RG_OPEN_DRY_RUN, "would_wait", "a dry run: another call has the slot, and this one would have waited")

enum rg_fail_open {
#define RG_OPEN_ENUM(name, label, help) name,
	RG_FAIL_OPEN_REASONS(RG_OPEN_ENUM)
#undef RG_OPEN_ENUM
	RG_OPEN_COUNT
};

/* How slots came back. X(enumerator, "label", "help") */
#define RG_GIVE_BACKS(X)                                                                                       \
	X(RG_BACK_RETURN, "return", "the function returned")                                                    \
	X(RG_BACK_UNWOUND, "unwound", "the thread went past the frame: longjmp, exception")                     \
	X(RG_BACK_EXIT, "exit", "the thread ended, or its process became another program")                      \
	X(RG_BACK_LEASE, "lease", "taken away from a holder that had it for longer than the lease")

enum rg_give_back {
#define RG_BACK_ENUM(name, label, help) name,
	RG_GIVE_BACKS(RG_BACK_ENUM)
#undef RG_BACK_ENUM
	RG_BACK_COUNT
};

struct rg_section_figures {
	rg_u64 calls;       /* of the target */
	rg_u64 foreign;     /* of other processes that run the same file */
	rg_u64 taken;       /* with the slot */
	rg_u64 reentered;   /* by a thread that had the slot already */
	rg_u64 waits;       /* calls that waited, in vain or not */
	rg_u64 wait_ns;
	rg_u64 max_wait_ns;
	rg_u64 inside_ns;   /* from having the slot to the return */
	rg_u64 max_inside_ns;
	rg_u64 ticks;       /* that calls let pass behind the section, so as not to lose the CPU inside the next one */
	rg_u64 tick_ns;     /* what that took */
	rg_u64 preempted;   /* times that a thread lost its CPU inside */
	rg_u64 slept;       /* times that a thread slept inside */
	rg_u64 open[RG_OPEN_COUNT];
	rg_u64 back[RG_BACK_COUNT];
};

RG_STATIC_ASSERT(sizeof(struct rg_section) == 32, "rg_section");
RG_STATIC_ASSERT(sizeof(struct rg_slot) == 64, "rg_slot");
RG_STATIC_ASSERT(sizeof(struct rg_frame) == 32, "rg_frame");
RG_STATIC_ASSERT(sizeof(struct rg_thread) == 32 * RG_FRAMES, "rg_thread");
RG_STATIC_ASSERT(sizeof(struct rg_section_figures) == 104 + 8 * RG_OPEN_COUNT + 8 * RG_BACK_COUNT, "rg_section_figures");

#endif
