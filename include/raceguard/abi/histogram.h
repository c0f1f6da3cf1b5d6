/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Log-linear histogram of durations in nanoseconds: four buckets to a power of two, so a bucket is at most 25 % wide.
 * Pure arithmetic, shared by the BPF programs that count and the C++ that reads; tested on the host. */
#ifndef RACEGUARD_ABI_HISTOGRAM_H
#define RACEGUARD_ABI_HISTOGRAM_H

#include "types.h"

#define RG_HISTOGRAM_BUCKETS 128 /* the last one holds everything from 7.5 s up */

/* The floor of log2(value); 0 for 0. A binary search: BPF has no count-leading-zeros instruction. */
static inline rg_u32 rg_log2(rg_u64 value)
{
	rg_u32 result = 0;

	if (value >> 32) { value >>= 32; result += 32; }
	if (value >> 16) { value >>= 16; result += 16; }
	if (value >> 8) { value >>= 8; result += 8; }
	if (value >> 4) { value >>= 4; result += 4; }
	if (value >> 2) { value >>= 2; result += 2; }
	if (value >> 1) { result += 1; }
	return result;
}

static inline rg_u32 rg_histogram_bucket(rg_u64 value_ns)
{
	rg_u32 exponent, bucket;

	if (value_ns < 4)
		return (rg_u32)value_ns;
	exponent = rg_log2(value_ns);
	bucket = (exponent - 1) * 4 + (rg_u32)((value_ns >> (exponent - 2)) & 3);
	return bucket < RG_HISTOGRAM_BUCKETS ? bucket : RG_HISTOGRAM_BUCKETS - 1;
}

/* The smallest value that falls into the bucket. */
static inline rg_u64 rg_histogram_floor_ns(rg_u32 bucket)
{
	if (bucket < 4)
		return bucket;
	return (rg_u64)(4 + bucket % 4) << (bucket / 4 - 1);
}

#endif
