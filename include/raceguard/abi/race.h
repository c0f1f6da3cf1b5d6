/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the race object (bpf/race.bpf.c) and the daemon share: watches, holds, accesses. Times are CLOCK_MONOTONIC
 * nanoseconds. The method: DataCollider (Erickson et al., OSDI'10); kernel/kcsan/core.c is its relative in the kernel. */
#ifndef RACEGUARD_ABI_RACE_H
#define RACEGUARD_ABI_RACE_H

#include "bpf.h"
#include "types.h"

#define RG_RACE_ABI_VERSION 3

#define RG_WATCH_SLOTS 4     /* address registers of an x86-64 CPU */
#define RG_CANDIDATE_LOCKS 8 /* locks whose state is read at each hit */

/* ---- locks whose state tells who holds them, from the target's own memory ------------------------------------ */
enum rg_lock_kind {
	RG_LOCK_NONE,
	RG_LOCK_PTHREAD_MUTEX,  /* glibc: int owner (thread id) at +8; std::mutex, std::recursive_mutex */
	RG_LOCK_PTHREAD_RWLOCK, /* glibc: int __cur_writer at +24, readers >> 3 at +0; std::shared_mutex */
	RG_LOCK_PTHREAD_SPIN,   /* glibc x86: int, 1 is free, 0 or less is taken */
	RG_LOCK_FUTEX_WORD,     /* Rust std, Go: int whose lowest two bits are not 0 while it is locked */
};

struct rg_candidate_lock {
	rg_u64 address;
	rg_u32 kind; /* enum rg_lock_kind */
	rg_u32 pad;
};

/* What a lock's memory said at an access: two bits each, lock 0 lowest. */
enum rg_lock_state {
	RG_LOCK_IS_FREE,
	RG_LOCK_IS_MINE,   /* the accessing thread is its owner */
	RG_LOCK_IS_OTHERS, /* another thread is */
	RG_LOCK_IS_TAKEN,  /* by whom cannot be told (readers, spin lock, futex word) */
};

/* ---- rg_watches: array by slot; written by the daemon while the slot's events are off --------------------------- */
struct rg_watch {
	rg_u64 generation; /* of the order; records and sites carry it. 0: the slot is idle, hits are not looked at */
	rg_u64 address;    /* in the target */
	rg_u64 hold_ns;    /* the longest hold; 0: none */
	rg_u64 namespace_device, namespace_inode; /* of the target's pid namespace, if it is not the first; else 0 */
	rg_u32 length;     /* 1, 2, 4, 8 */
	rg_u32 tgid;
	rg_u32 lock_count;
	rg_u32 is_code;    /* 1: `address` is an instruction, each hit is sent as a rg_record_sample; no holds */
	struct rg_candidate_lock locks[RG_CANDIDATE_LOCKS];
};

/* ---- rg_holds: array by slot; written by the program, `last` is cleared by the daemon with each order ------------- */
struct rg_hold {
	rg_u64 word;       /* who is held: bpf/hold_word.h */
	rg_u64 number;     /* of the last hold */
	rg_u64 ip;         /* of the held access */
	rg_u64 last;       /* who accessed last: bpf/last_access.h */
	rg_u32 with_stack; /* said by who overlaps: this pair of instructions is still rare, send stacks */
	rg_u32 seen;       /* the pair's count */
};

/* ---- rg_watch_figures: per-CPU array by slot; grows only ------------------------------------------------------- */
struct rg_watch_figures {
	rg_u64 hits;          /* by the target */
	rg_u64 foreign_hits;  /* by other processes at the same address: they pay too */
	rg_u64 holds;
	rg_u64 hold_ns;       /* all holds together */
	rg_u64 overlaps;      /* accesses by another thread during a hold, without the harmless */
	rg_u64 harmless;      /* such accesses that rg_access_modes says cannot race with the held one; the hold went on */
	rg_u64 value_changes; /* holds during which the value changed and no access was seen */
};

/* ---- rg_access_sites: hash; what was seen at one instruction under one order ------------------------------------ */
struct rg_access_site_key {
	rg_u64 generation;
	rg_u64 ip; /* of the instruction behind the access */
};
struct rg_access_site {
	rg_u64 count;
	rg_u64 last_ns;
	rg_u64 holds;                     /* of threads right behind this instruction */
	rg_u32 first_tid;
	rg_u32 other_tid;                 /* a second thread that came here; 0: none yet */
	rg_u32 held[RG_CANDIDATE_LOCKS];  /* accesses with the lock MINE, or TAKEN */
	rg_u32 broken[RG_CANDIDATE_LOCKS]; /* accesses without the lock while another thread held it and had accessed the
	                                      address under it, with no other access in between */
};

/* ---- rg_access_modes: hash by rg_access_site_key; what the daemon decoded of an instruction ------------------------ */
enum rg_access_mode {
	RG_ACCESS_MODE_UNKNOWN, /* no entry */
	RG_ACCESS_MODE_READ,    /* plain read: harmless beside another plain read */
	RG_ACCESS_MODE_ATOMIC,  /* harmless beside another atomic */
	RG_ACCESS_MODE_ATOMIC_READ, /* harmless beside both */
};

/* ---- rg_access_pairs: hash; how often one access overlapped the hold of another ----------------------------------- */
struct rg_access_pair_key {
	rg_u64 generation;
	rg_u64 held_ip;
	rg_u64 other_ip; /* 0: the value changed and no one was seen */
};
#define RG_PAIR_STACKS 4 /* so many records of each side of a pair carry a stack */

/* ---- records --------------------------------------------------------------------------------------------------- */
#define RG_RECORD_ACCESS 3 /* continues enum rg_record_type */

enum rg_access_role {
	RG_ACCESS_FIRST_SEEN = 1, /* an instruction that was not seen before under this order */
	RG_ACCESS_HELD = 2,       /* the thread that was held, when another touched the address or the value changed */
	RG_ACCESS_OVERLAPS = 3,   /* the other thread; as a rule before the RG_ACCESS_HELD of the same pair. At most
	                             RG_HOLD_MAX_OVERLAPS of one hold */
	RG_ACCESS_LOCK_BROKEN = 4, /* see rg_access_site.broken */
};

#define RG_HOLD_MAX_OVERLAPS 4

/* Ends in the ring after the valid bytes of stack[]. */
struct rg_record_access {
	rg_u32 type; /* RG_RECORD_ACCESS */
	rg_u32 role; /* enum rg_access_role */
	rg_u64 time_ns; /* of the access: HELD: the hold's begin */
	rg_u64 generation;
	rg_u64 pair;         /* same in the records of one hold; 0: of none */
	rg_u64 ip;           /* behind the access */
	rg_u64 value_before; /* HELD, if overlaps is 0: at the hold's begin and end, the watched bytes */
	rg_u64 value_after;
	rg_u64 held_ns;      /* HELD: how long */
	rg_u32 slot;
	rg_u32 overlaps;     /* HELD: accesses of others during the hold; 0: the value changed and no one was seen */
	rg_u32 tgid;
	rg_u32 tid;
	rg_u32 lock_states;  /* enum rg_lock_state, two bits a candidate */
	rg_u32 frame_count;
	rg_u32 stack_bytes;  /* 0: none was taken (see RG_PAIR_STACKS), or it could not be read (stack_fault) */
	rg_u32 lock_owner;   /* LOCK_BROKEN: the thread that held the lock */
	rg_u32 seen;         /* HELD, OVERLAPS: how often this pair of instructions was seen, with this time (HELD: the last that
	                        overlapped); 0: not counted (pairs_full) */
	rg_u32 lock;         /* LOCK_BROKEN: which candidate */
	rg_u64 registers[RG_DWARF_REGISTERS];
	rg_u64 frame_pointer_ips[RG_FRAME_POINTER_DEPTH];
	rg_u8 stack[RG_STACK_COPY_MAX_BYTES];
};
#define RG_ACCESS_HEADER_BYTES (sizeof(struct rg_record_access) - RG_STACK_COPY_MAX_BYTES)

/* ---- samples: where a thread of the target was, to learn which addresses its code touches ------------------------- */
#define RG_RECORD_SAMPLE 4 /* continues RG_RECORD_ACCESS */

enum rg_sample_source {
	RG_SAMPLE_CLOCK = 1, /* the CPU's clock found the thread running, in its own code or in a system call */
	RG_SAMPLE_CODE = 2,  /* it is about to execute the instruction of an order with is_code */
};

#define RG_RED_ZONE_BYTES 128 /* below the stack pointer, a function's own (System V x86-64 ABI, 3.2.2) */
#define RG_SAMPLE_STACK_BYTES 4096

struct rg_record_sample {
	rg_u32 type;   /* RG_RECORD_SAMPLE */
	rg_u32 source; /* enum rg_sample_source */
	rg_u64 time_ns;
	rg_u64 generation; /* CODE: of the order */
	rg_u32 tgid;
	rg_u32 tid;
	rg_u32 red_zone_bytes; /* RG_RED_ZONE_BYTES, or 0: could not be read */
	rg_u32 stack_bytes;    /* from the stack pointer upwards; 0: could not be read */
	rg_u64 registers[RG_DWARF_REGISTERS];
	rg_u8 red_zone[RG_RED_ZONE_BYTES];
	rg_u8 stack[RG_SAMPLE_STACK_BYTES];
};

/* Per-CPU array of one entry; grows only. */
struct rg_sample_figures {
	rg_u64 samples; /* of the target, by the clock */
	rg_u64 run_ns;  /* the program's own time for them */
};

RG_STATIC_ASSERT(sizeof(struct rg_candidate_lock) == 16, "rg_candidate_lock");
RG_STATIC_ASSERT(sizeof(struct rg_watch) == 56 + 16 * RG_CANDIDATE_LOCKS, "rg_watch");
RG_STATIC_ASSERT(sizeof(struct rg_hold) == 40, "rg_hold");
RG_STATIC_ASSERT(sizeof(struct rg_watch_figures) == 56, "rg_watch_figures");
RG_STATIC_ASSERT(sizeof(struct rg_access_site_key) == 16, "rg_access_site_key");
RG_STATIC_ASSERT(sizeof(struct rg_access_site) == 32 + 8 * RG_CANDIDATE_LOCKS, "rg_access_site");
RG_STATIC_ASSERT(sizeof(struct rg_access_pair_key) == 24, "rg_access_pair_key");
RG_STATIC_ASSERT(sizeof(struct rg_record_sample) == 40 + 8 * RG_DWARF_REGISTERS + RG_RED_ZONE_BYTES + RG_SAMPLE_STACK_BYTES, "rg_record_sample");
RG_STATIC_ASSERT(sizeof(struct rg_sample_figures) == 16, "rg_sample_figures");
RG_STATIC_ASSERT(sizeof(struct rg_record_access) == 104 + 8 * RG_DWARF_REGISTERS + 8 * RG_FRAME_POINTER_DEPTH + RG_STACK_COPY_MAX_BYTES, "rg_record_access");

#endif
