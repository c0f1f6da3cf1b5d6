/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map of the raceguard object but rg_drops, which each object has (drop.bpf.h). Sizes of 1 are set by the daemon
 * before it loads the object; docs/bpf.md is the same list for readers. */
#ifndef RACEGUARD_MAPS_BPF_H
#define RACEGUARD_MAPS_BPF_H

#include <bpf/bpf_helpers.h>

#include "bpf/rate_limit.h"
#include "raceguard/abi/bpf.h"

/* Processes that are watched. Key: tgid. Written by the daemon (plan), fork (copies the parent's entry), exec and exit
 * (remove it). Read first by every program: who is not in here costs one lookup. Full: targets_full, the child of a
 * fork is not watched until the daemon adds it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_target);
} rg_targets SEC(".maps");

/* Thresholds of guarded functions. Key: function id. Written by the daemon, read by the function programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_function_config);
} rg_functions SEC(".maps");

/* Figures of guarded functions, per CPU. Key: function id. Written by the function programs; the daemon adds the CPUs
 * up and clears a slot before it is used again. Additions are atomic: a uprobe program can be preempted by another
 * task's on the same CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_function_counters);
} rg_function_figures SEC(".maps");

/* Calls that have not returned. Key: thread, frame, function. Written at entry, removed at return, and by the daemon
 * when too old (longjmp, exception, thread end). Full: calls_full, that call has no duration. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct rg_call_key);
	__type(value, struct rg_call);
} rg_calls SEC(".maps");

/* Objects that watched functions were called with of late. Key: object, process, function. Written at entry, read by the
 * daemon. LRU: the daemon wants those that are used now; the one that was not for longest makes room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct rg_object_key);
	__type(value, struct rg_object);
} rg_objects SEC(".maps");

/* Figures of each futex word that somebody waited on. Key: process and address. Written by the contention programs,
 * removed by the daemon (process gone, idle lock). Full: locks_full, that wait is not counted. Not LRU: an eviction
 * would lose figures without a word. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct rg_lock_key);
	__type(value, struct rg_lock_counters);
} rg_locks SEC(".maps");

/* The futex wait of each thread that waited once; start_ns 0: not waiting now. Key: pid_tgid. Written when a wait begins
 * and ends, removed when the thread ends. Full: waits_full, that wait is not counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, rg_u64);
	__type(value, struct rg_wait);
} rg_waits SEC(".maps");

/* What the contention programs cost each target group, per CPU. Key: target id. Written by them, read by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RG_MAX_TARGET_GROUPS);
	__type(key, rg_u32);
	__type(value, struct rg_contention_counters);
} rg_contention_figures SEC(".maps");

/* Records for the daemon. Full: ring_full. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rg_ring SEC(".maps");

/* Where a stack record is put together, per CPU: 17 KB do not fit a BPF stack, and a reservation in the ring could not
 * shrink to what was readable. `busy` keeps out a task that preempts one which is at it; its sample is given up. */
struct rg_sampler {
	struct rg_rate rate;
	rg_u64 busy;
	struct rg_record_stack record;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, rg_u32);
	__type(value, struct rg_sampler);
} rg_samplers SEC(".maps");

#endif
