/* SPDX-License-Identifier: Apache-2.0 */
/* The shared page: what the daemon writes to /run/raceguard/switches and applications map read-only.
 * All times are CLOCK_MONOTONIC nanoseconds. Each slot is a seqlock: `sequence` is odd while it is being written. */
#ifndef RACEGUARD_ABI_SWITCH_PAGE_H
#define RACEGUARD_ABI_SWITCH_PAGE_H

#include "types.h"

#define RG_PAGE_MAGIC 0x5352474eu
#define RG_PAGE_VERSION 1u
#define RG_PAGE_SLOTS 256
#define RG_SWITCH_NAME_LEN 64
#define RG_SWITCH_REASON_LEN 96
#define RG_PAGE_DEFAULT_PATH "/run/raceguard/switches"

enum rg_switch_state {
	RG_SWITCH_CLOSED = 0,    /* the real function is called */
	RG_SWITCH_OPEN = 1,      /* the fallback is called */
	RG_SWITCH_HALF_OPEN = 2, /* allow_permyriad of the calls go to the real function, to try it */
};

struct rg_page_slot {
	rg_u32 sequence;
	rg_u32 state;           /* enum rg_switch_state */
	rg_u32 allow_permyriad; /* 0..10000: share of calls that go to the real function; 10000 closed, 0 open */
	rg_u32 generation;      /* number of transitions so far */
	rg_u64 since_ns;        /* when the state was entered */
	char name[RG_SWITCH_NAME_LEN];     /* NUL-terminated; an empty name ends the table; never changes once set */
	char reason[RG_SWITCH_REASON_LEN]; /* NUL-terminated, for people */
};

struct rg_page {
	rg_u32 magic;
	rg_u32 version;
	rg_u32 slot_count;
	rg_u32 slot_bytes;
	rg_u64 heartbeat_ns;         /* written by the daemon at least every heartbeat_period_ns */
	rg_u64 heartbeat_period_ns;  /* older than 3 periods: the daemon is dead, every switch counts as closed */
	rg_u64 reserved[4];
	struct rg_page_slot slots[RG_PAGE_SLOTS];
};

RG_STATIC_ASSERT(sizeof(struct rg_page_slot) == 184, "rg_page_slot");
RG_STATIC_ASSERT(sizeof(struct rg_page) == 64 + 184 * RG_PAGE_SLOTS, "rg_page");

#endif
