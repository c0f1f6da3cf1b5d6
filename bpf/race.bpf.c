// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Accesses to watched addresses. An object of its own, loaded only where races are looked for. Kernel floor: 6.1.
#include "bpf/kernel_types.bpf.h"

#include <bpf/bpf_helpers.h>

#include "bpf/hold.bpf.h"

/* A hardware watchpoint of one CPU; the attach cookie is the slot, ctx the user's registers behind the access
 * (struct bpf_perf_event_data begins with them). Interrupts are off from the exception to the end of the program.
 * Always 1: the kernel counts PERF_EVENT_IOC_REFRESH down only then. */
SEC("perf_event")
int rg_access(struct pt_regs *ctx)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid();
	struct rg_access access = {.now_ns = bpf_ktime_get_ns(), .tid = (rg_u32)pid_tgid};
	struct rg_watch_figures *figures;
	struct rg_access_site *site;
	struct rg_watch *watch;
	struct rg_hold *hold;
	rg_u64 word;

	access.slot = bpf_get_attach_cookie(ctx);
	watch = bpf_map_lookup_elem(&rg_watches, &access.slot);
	figures = bpf_map_lookup_elem(&rg_watch_figures, &access.slot);
	hold = bpf_map_lookup_elem(&rg_holds, &access.slot);
	if (!watch || !figures || !hold)
		return 1;
	if (!watch->generation || watch->tgid != pid_tgid >> 32) {
		figures->foreign_hits++;
		return 1;
	}
	figures->hits++;
	access.generation = watch->generation;
	access.ip = ctx->ip;
	access.namespace_tid = rg_namespace_tid(watch, access.tid);
	rg_read_locks(watch, hold, &access);
	site = rg_count_site(ctx, &access);
	word = *(volatile rg_u64 *)&hold->word;
	if (rg_hold_is_overlapped(word, access.tid))
		rg_overlap(ctx, hold, figures, &access, word);
	else if (!word && watch->hold_ns && rg_hold_is_due(&access, site))
		rg_hold_thread(ctx, watch, hold, figures, site, &access);
	return 1;
}

char rg_license[] SEC("license") = "Dual BSD/GPL";
