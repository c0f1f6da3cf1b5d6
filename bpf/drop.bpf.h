/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Nothing is lost without a count. */
#ifndef RACEGUARD_DROP_BPF_H
#define RACEGUARD_DROP_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/raise.bpf.h"
#include "raceguard/abi/bpf.h"

/* What was lost, per CPU. Key: enum rg_drop_reason. Written by all programs, read by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RG_DROP_REASON_COUNT);
	__type(key, rg_u32);
	__type(value, rg_u64);
} rg_drops SEC(".maps");

#define RG_EEXIST 17
#define RG_E2BIG 7

static __always_inline void rg_drop(rg_u32 reason)
{
	rg_u64 *count = bpf_map_lookup_elem(&rg_drops, &reason);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* The drop of a failed map update: `full` for a full map, map_busy for what else the kernel says (ENOMEM, EBUSY).
 * Errors of map helpers are kept as int: before 6.4 (d7ba4cc900bf) they came with the upper half of the register 0. */
static __always_inline void rg_drop_update(int error, rg_u32 full)
{
	rg_drop(error == -RG_E2BIG ? full : RG_DROP_MAP_BUSY);
}

#endif
