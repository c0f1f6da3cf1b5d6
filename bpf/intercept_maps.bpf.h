/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map and setting of the intercept object. One object is one interception of one process. */
#ifndef RACEGUARD_INTERCEPT_MAPS_BPF_H
#define RACEGUARD_INTERCEPT_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "raceguard/abi/intercept.h"

#define RG_CONTENDED_NS 1000000000ull /* a slot counts as contended for so long after a call had to wait for it */

/* Read by user space from the opened object; it refuses an object of another version. */
const volatile rg_u32 rg_intercept_abi_version = RG_INTERCEPT_ABI_VERSION;
/* Set before the object is loaded. */
const volatile rg_u32 rg_intercepted_tgid = 0;
const volatile rg_u64 rg_wait_ns = 500000;
const volatile rg_u64 rg_lease_ns = 100000000;
/* A tick that is this near is let pass; 0: none is. */
const volatile rg_u64 rg_tick_ahead_ns = 0;
/* 1: nobody waits; a call that would have to is counted. */
const volatile rg_u32 rg_dry_run = 0;

/* 1: calls take slots. Set by user space when all is attached, and 0 at once when it withdraws; 0 by the programs when
 * the process becomes another program. */
volatile rg_u32 rg_intercept_on = 0;
/* 0: only one CPU is online. Kept by user space. */
volatile rg_u32 rg_may_wait = 1;

/* Orders. Key: function. Written by user space before the probes are attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RG_SECTIONS_MAX);
	__type(key, rg_u32);
	__type(value, struct rg_section);
} rg_sections SEC(".maps");

/* Who has what. Key: hash of the key. An array: a slot can neither be missing nor left over. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RG_SLOTS);
	__type(key, rg_u32);
	__type(value, struct rg_slot);
} rg_slots SEC(".maps");

/* What each thread has. Key: pid_tgid. Written by the thread at entry and return, removed at its exit. Full:
 * threads_full, the call goes on without the slot. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RG_INTERCEPTED_THREADS);
	__type(key, rg_u64);
	__type(value, struct rg_thread);
} rg_threads SEC(".maps");

/* Figures, per CPU. Key: function. Additions are atomic: a uprobe program can be preempted by another task's. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RG_SECTIONS_MAX);
	__type(key, rg_u32);
	__type(value, struct rg_section_figures);
} rg_section_figures SEC(".maps");

#endif
