/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was seen at each instruction, and at each pair of them. */
#ifndef RACEGUARD_ACCESS_SITE_BPF_H
#define RACEGUARD_ACCESS_SITE_BPF_H

#include "bpf/access_record.bpf.h"

#define RG_BROKEN_RECORDS 2 /* of one lock at one instruction */

static const struct rg_access_site rg_no_accesses;

/* The site of the access; *is_new: it was not there. */
static __always_inline struct rg_access_site *rg_find_or_add_site(const struct rg_access *access, rg_u32 *is_new)
{
	struct rg_access_site_key key = {.generation = access->generation, .ip = access->ip};
	struct rg_access_site *site = bpf_map_lookup_elem(&rg_access_sites, &key);
	int error;

	if (site)
		return site;
	error = bpf_map_update_elem(&rg_access_sites, &key, &rg_no_accesses, BPF_NOEXIST);
	if (error && error != -RG_EEXIST) { /* EEXIST: another CPU was first */
		rg_drop_update(error, RG_DROP_SITES_FULL);
		return 0;
	}
	*is_new = !error;
	return bpf_map_lookup_elem(&rg_access_sites, &key);
}

/* Returns the site; 0: no room for it. */
static __always_inline struct rg_access_site *rg_count_site(struct pt_regs *ctx, struct rg_access *access)
{
	struct rg_access_report report = {.role = RG_ACCESS_FIRST_SEEN, .with_stack = 1};
	rg_u32 is_new = 0, i;
	struct rg_access_site *site = rg_find_or_add_site(access, &is_new);

	if (!site)
		return 0;
	__sync_fetch_and_add(&site->count, 1);
	site->last_ns = access->now_ns;
	if (!site->first_tid && __sync_val_compare_and_swap(&site->first_tid, 0, access->tid) == 0)
		;
	else if (site->first_tid != access->tid && !site->other_tid)
		site->other_tid = access->tid;
	for (i = 0; i < RG_CANDIDATE_LOCKS; i++) {
		if (access->held >> i & 1)
			__sync_fetch_and_add(&site->held[i], 1);
		if (access->broken >> i & 1) {
			rg_u32 before = __sync_fetch_and_add(&site->broken[i], 1);

			if (i == access->broken_lock && before < RG_BROKEN_RECORDS)
				report.role = RG_ACCESS_LOCK_BROKEN;
		}
	}
	if (is_new || report.role == RG_ACCESS_LOCK_BROKEN)
		rg_send_access(ctx, access, &report);
	return site;
}

/* Counts the pair; the count with this one. 0: no room. */
static __always_inline rg_u32 rg_count_pair(rg_u64 generation, rg_u64 held_ip, rg_u64 other_ip)
{
	struct rg_access_pair_key key = {.generation = generation, .held_ip = held_ip, .other_ip = other_ip};
	rg_u64 one = 1, *count = bpf_map_lookup_elem(&rg_access_pairs, &key);
	int error;

	if (count)
		return __sync_fetch_and_add(count, 1) + 1;
	error = bpf_map_update_elem(&rg_access_pairs, &key, &one, BPF_NOEXIST);
	if (!error)
		return 1;
	count = bpf_map_lookup_elem(&rg_access_pairs, &key);
	if (count)
		return __sync_fetch_and_add(count, 1) + 1;
	rg_drop_update(error, RG_DROP_PAIRS_FULL);
	return 0;
}

static __always_inline rg_u32 rg_access_mode(rg_u64 generation, rg_u64 ip)
{
	struct rg_access_site_key key = {.generation = generation, .ip = ip};
	rg_u32 *mode = bpf_map_lookup_elem(&rg_access_modes, &key);

	return mode ? *mode : RG_ACCESS_MODE_UNKNOWN;
}

#endif
