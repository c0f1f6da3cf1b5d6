/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map of the race object but rg_drops (drop.bpf.h). Sizes of 1 are set by the daemon before it loads the object. */
#ifndef RACEGUARD_RACE_MAPS_BPF_H
#define RACEGUARD_RACE_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "raceguard/abi/race.h"

/* Read by the daemon from the opened object; it refuses an object of another version. */
const volatile rg_u32 rg_race_abi_version = RG_RACE_ABI_VERSION;

/* Mean distance of two holds, of all slots and CPUs together; 0: none. Changed by the daemon at any time. */
volatile rg_u64 rg_hold_interval_ns = 0;
volatile rg_u64 rg_hold_due_ns;

/* The process that the clock samples; 0: none. Changed by the daemon at any time. */
volatile rg_u32 rg_sampled_tgid = 0;

/* Orders. Key: slot. Written by the daemon while the slot's events are off. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RG_WATCH_SLOTS);
	__type(key, rg_u32);
	__type(value, struct rg_watch);
} rg_watches SEC(".maps");

/* Figures. Key: slot. Written by the program alone; the daemon adds the CPUs up. Not atomic: interrupts are off while
 * the program runs on a user-mode access, so nothing else on this CPU writes here. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RG_WATCH_SLOTS);
	__type(key, rg_u32);
	__type(value, struct rg_watch_figures);
} rg_watch_figures SEC(".maps");

/* Who is held, and who accessed last. Key: slot. Written by the program; the daemon clears `last` with each order. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RG_WATCH_SLOTS);
	__type(key, rg_u32);
	__type(value, struct rg_hold);
} rg_holds SEC(".maps");

/* What was seen at each instruction. Key: order and instruction. Removed by the daemon after the order. Full:
 * sites_full, the access is counted in rg_watch_figures only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct rg_access_site_key);
	__type(value, struct rg_access_site);
} rg_access_sites SEC(".maps");

/* enum rg_access_mode of instructions that the daemon decoded. Apart from rg_access_sites, because an update from user
 * space would replace the counts there. Looked up only where two accesses overlap. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct rg_access_site_key);
	__type(value, rg_u32);
} rg_access_modes SEC(".maps");

/* How often one access overlapped the hold of another. Removed by the daemon after the order. Full: pairs_full, the
 * records say 0 and have no stack. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct rg_access_pair_key);
	__type(value, rg_u64);
} rg_access_pairs SEC(".maps");

/* Where a record is put together, per CPU: 17 KB do not fit a BPF stack, and a reservation in the ring could not shrink
 * to what was readable. One at a time: interrupts are off. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_record_access);
} rg_access_buffers SEC(".maps");

/* Samples by the clock. Key: 0. Written by rg_sample alone, not atomic: the clock's interrupt does not nest. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_sample_figures);
} rg_sample_figures SEC(".maps");

/* Records for the daemon. Full: ring_full. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rg_access_ring SEC(".maps");

#endif
