// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Accesses to watched addresses. An object of its own, loaded only where races are looked for. Kernel floor: 6.1.
#include "bpf/kernel_types.bpf.h"

#include <bpf/bpf_helpers.h>

#include "bpf/code_sample.bpf.h"
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
	if (watch->is_code) {
		rg_send_sample(ctx, RG_SAMPLE_CODE, watch->generation, access.now_ns);
		return 1;
	}
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

/* The clock of one CPU (PERF_COUNT_SW_CPU_CLOCK). The thread's user registers as the kernel saved them at its last entry:
 * by this interrupt, or by the system call that it is in, where threads that wait for something are. */
SEC("perf_event")
int rg_sample(void *ctx)
{
	rg_u64 now_ns = bpf_ktime_get_ns();
	struct rg_sample_figures *figures;
	struct pt_regs regs;
	rg_u32 zero = 0;

	if (!rg_sampled_tgid || bpf_get_current_pid_tgid() >> 32 != rg_sampled_tgid)
		return 0;
	figures = bpf_map_lookup_elem(&rg_sample_figures, &zero);
	if (!figures)
		return 0;
	if (!bpf_probe_read_kernel(&regs, sizeof(regs), (void *)bpf_task_pt_regs(bpf_get_current_task_btf())))
		rg_send_sample(&regs, RG_SAMPLE_CLOCK, 0, now_ns);
	figures->samples++;
	figures->run_ns += bpf_ktime_get_ns() - now_ns;
	return 0;
}

char rg_license[] SEC("license") = "Dual BSD/GPL";
