/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the burst object (bpf/burst.bpf.c) and userspace share: lock and unlock calls of one process, for some
 * milliseconds. Times are CLOCK_MONOTONIC nanoseconds. */
#ifndef RACEGUARD_ABI_BURST_H
#define RACEGUARD_ABI_BURST_H

#include "bpf.h"
#include "race.h"
#include "types.h"

#define RG_BURST_ABI_VERSION 2

/* ---- what a probed function does: the low bits of the attach cookie; above them the site's CFA offset ------------- */
#define RG_CALL_KIND 0x7u      /* enum rg_lock_kind: mutex, rwlock, spin lock */
#define RG_CALL_READ 0x8u      /* the lock is taken for reading */
#define RG_CALL_TRY 0x10u      /* never waits: no order follows from it */
#define RG_CALL_TIMED 0x20u    /* waits with a time limit: no deadlock follows from it */
#define RG_CALL_CONDITION 0x40u /* the second argument is a mutex that is let go at the call and taken again at its return */
#define RG_CALL_DECREMENT 0x80u /* the site is the branch behind spin_lock's `lock decl`: ZF says whether it was taken */
#define RG_CALL_STEPPED 0x100u   /* the kernel single-steps the site's instruction: a hit is dearer */
#define RG_CALL_CFA_SHIFT 16   /* stack pointer at the site + this = CFA; the return address is 8 below */

/* ---- rg_burst_threads: hash by thread id; what a thread holds ----------------------------------------------------- */
#define RG_HELD_LOCKS 8

enum rg_burst_thread_flags {
	RG_THREAD_ORDERED = 1,  /* an order of it was counted in this burst */
	RG_THREAD_DOUBTED = 2,  /* and then it let a lock go that was not seen to be taken: it may have kept others out */
	RG_THREAD_OVERFLOWED = 4, /* it holds, or held, more than held[] has room for */
};

struct rg_held {
	rg_u64 address;
	rg_u64 since_ns;
	rg_u64 ip;    /* behind the call that took it */
	rg_u32 calls; /* RG_CALL_* of that call */
	rg_u32 depth; /* how often it was taken again since */
};

struct rg_burst_thread {
	rg_u64 burst;     /* number of the burst that this belongs to; of another one: nothing is held */
	rg_u64 wanted;    /* address of the lock that the thread is in a call for; 0: none */
	rg_u64 wanted_ns;
	rg_u64 wanted_ip;
	rg_u32 wanted_calls;
	rg_u32 count;     /* of held */
	rg_u32 emptied;   /* how often it let its last lock go, since it last let one go that was not seen to be taken */
	rg_u32 flags;     /* enum rg_burst_thread_flags */
	struct rg_held held[RG_HELD_LOCKS]; /* in the order in which they were taken */
};

/* ---- rg_burst_locks: hash by address --------------------------------------------------------------------------- */
struct rg_burst_lock {
	rg_u64 reads;      /* acquisitions for reading */
	rg_u64 writes;     /* all others */
	rg_u64 contended;  /* acquisitions that found it taken */
	rg_u64 wait_ns;    /* of these, together */
	rg_u64 holds;      /* that ended in the burst */
	rg_u64 hold_ns;    /* of these, together */
	rg_u64 max_hold_ns;
	rg_u32 kind;       /* enum rg_lock_kind */
	rg_u32 first_tid;
	rg_u32 other_tid;  /* the last thread that is not the first one; 0: none */
	rg_u32 pad;
	rg_u32 histogram[RG_HISTOGRAM_BUCKETS]; /* of holds */
};

/* ---- rg_burst_sites: hash; one lock as taken from one place ------------------------------------------------------ */
struct rg_burst_site_key {
	rg_u64 address;
	rg_u64 ip;
	rg_u32 calls;
	rg_u32 pad;
};
struct rg_burst_site {
	rg_u64 asked;       /* calls */
	rg_u64 taken;       /* that got it */
	rg_u64 holds;
	rg_u64 hold_ns;
	rg_u64 release_ip;  /* behind the call that first let it go again; 0: none yet */
	rg_u64 other_release_ip; /* behind the last such call at another place */
};

/* ---- rg_burst_edges: hash; a lock was asked for while another one was held ---------------------------------------- */
#define RG_EDGE_THREADS 4
#define RG_EDGE_GATES 6

struct rg_burst_edge_key {
	rg_u64 held;
	rg_u64 wanted;
	rg_u64 held_ip;
	rg_u64 wanted_ip;
	rg_u32 held_calls;
	rg_u32 wanted_calls;
};
struct rg_burst_edge {
	rg_u64 count;
	rg_u64 last_ns;
	rg_u64 gates[RG_EDGE_GATES]; /* locks held for writing since before `held`, each time so far; 0: no more */
	rg_u32 threads[RG_EDGE_THREADS]; /* the first four that did so; 0: fewer */
};

/* ---- rg_burst_figures: per-CPU array of one; grows only ------------------------------------------------------------ */
struct rg_burst_figures {
	rg_u64 hits;         /* of all probes, whether a burst is on or not: each costs its process the same */
	rg_u64 returns;      /* return probes among them */
	rg_u64 stepped_hits; /* those at a site with RG_CALL_STEPPED */
	rg_u64 foreign_hits; /* hits by other processes */
	rg_u64 burst;        /* number of the burst that `burst_hits` belong to */
	rg_u64 burst_hits;
	rg_u64 unseen_unlocks; /* of locks that were not seen to be taken: before the burst, or in a way not covered */
	rg_u64 ended_early;  /* bursts that reached their number of hits */
	rg_u64 worked;       /* hits whose program had something to count: those while a burst was on */
	rg_u64 timed;        /* of these, those that measured how long their program took */
	rg_u64 timed_ns;
};

#define RG_BURST_TIMED_EACH 32       /* by chance: in turns it would meet either the locks or the unlocks */
#define RG_BURST_TIMED_MAX_NS 50000 /* longer: the thread was interrupted meanwhile */

/* ---- records ----------------------------------------------------------------------------------------------------- */
#define RG_RECORD_BURST 5 /* continues RG_RECORD_SAMPLE */
#define RG_BURST_STACK_BYTES 8192

enum rg_burst_reason {
	RG_BURST_ORDER = 1, /* an edge that is new */
	RG_BURST_SITE = 2,  /* a lock is asked for, by chance */
};

struct rg_record_burst {
	rg_u32 type;   /* RG_RECORD_BURST */
	rg_u32 reason; /* enum rg_burst_reason */
	rg_u64 time_ns;
	rg_u64 wanted;
	rg_u64 wanted_ip;
	rg_u64 held; /* ORDER */
	rg_u64 held_ip;
	rg_u32 wanted_calls;
	rg_u32 held_calls;
	rg_u32 tgid;
	rg_u32 tid;
	rg_u32 frame_count;
	rg_u32 stack_bytes;
	rg_u64 registers[RG_DWARF_REGISTERS];
	rg_u64 frame_pointer_ips[RG_FRAME_POINTER_DEPTH];
	rg_u8 stack[RG_BURST_STACK_BYTES];
};
#define RG_BURST_HEADER_BYTES (sizeof(struct rg_record_burst) - RG_BURST_STACK_BYTES)

RG_STATIC_ASSERT(sizeof(struct rg_held) == 32, "rg_held");
RG_STATIC_ASSERT(sizeof(struct rg_burst_thread) == 48 + 32 * RG_HELD_LOCKS, "rg_burst_thread");
RG_STATIC_ASSERT(sizeof(struct rg_burst_lock) == 72 + 4 * RG_HISTOGRAM_BUCKETS, "rg_burst_lock");
RG_STATIC_ASSERT(sizeof(struct rg_burst_site_key) == 24, "rg_burst_site_key");
RG_STATIC_ASSERT(sizeof(struct rg_burst_site) == 48, "rg_burst_site");
RG_STATIC_ASSERT(sizeof(struct rg_burst_edge_key) == 40, "rg_burst_edge_key");
RG_STATIC_ASSERT(sizeof(struct rg_burst_edge) == 16 + 8 * RG_EDGE_GATES + 4 * RG_EDGE_THREADS, "rg_burst_edge");
RG_STATIC_ASSERT(sizeof(struct rg_burst_figures) == 88, "rg_burst_figures");
RG_STATIC_ASSERT(sizeof(struct rg_record_burst) == 72 + 8 * RG_DWARF_REGISTERS + 8 * RG_FRAME_POINTER_DEPTH + RG_BURST_STACK_BYTES, "rg_record_burst");

#endif
