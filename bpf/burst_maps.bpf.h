/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map of the burst object but rg_drops (drop.bpf.h). Sizes of 1 are set by userspace before it loads the object. */
#ifndef RACEGUARD_BURST_MAPS_BPF_H
#define RACEGUARD_BURST_MAPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "raceguard/abi/burst.h"

/* Read by userspace from the opened object; it refuses an object of another version. */
const volatile rg_u32 rg_burst_abi_version = RG_BURST_ABI_VERSION;

/* The process whose locks are looked at. */
volatile rg_u32 rg_burst_tgid = 0;
/* 1 while a burst is on: set by userspace, cleared by it or by the program that reaches the limit. */
volatile rg_u32 rg_burst_on = 0;
/* Number of the burst, from 1 on. */
volatile rg_u64 rg_burst_number = 0;
/* Hits on one CPU after which the burst ends by itself. */
volatile rg_u64 rg_burst_max_hits = 0;

/* What each thread holds. Key: thread id. Written by the programs of that thread alone; emptied by userspace between
 * bursts. Full: burst_threads_full, the thread's calls are not looked at. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_burst_thread);
} rg_burst_threads SEC(".maps");

/* Figures of each lock. Key: its address. Written by the programs, emptied by userspace after each burst. Full:
 * burst_locks_full. Not per CPU: a lock is written to by who has it, and 64 CPUs would take 64 times the memory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, rg_u64);
	__type(value, struct rg_burst_lock);
} rg_burst_locks SEC(".maps");

/* Figures of each place that takes a lock. The same. Full: burst_sites_full. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct rg_burst_site_key);
	__type(value, struct rg_burst_site);
} rg_burst_sites SEC(".maps");

/* Which lock was asked for while which was held. The same. Full: burst_orders_full. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct rg_burst_edge_key);
	__type(value, struct rg_burst_edge);
} rg_burst_edges SEC(".maps");

/* Key: 0. Written by the programs; additions are not atomic: what a task that preempts another one's program loses is
 * one hit of thousands. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_burst_figures);
} rg_burst_figures SEC(".maps");

/* Where a record is put together, per CPU. `busy` keeps out a task that preempts one which is at it. */
struct rg_burst_sampler {
	rg_u64 busy;
	struct rg_record_burst record;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_burst_sampler);
} rg_burst_samplers SEC(".maps");

/* Records for userspace. Full: ring_full. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rg_burst_ring SEC(".maps");

#endif
