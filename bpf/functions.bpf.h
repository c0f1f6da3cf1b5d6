/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Guarded functions: one program at every entry site, one at every return, or, where the kernel has sessions, one at
 * both; the attach cookie is the function id. Where exceptions may pass, one on each `ret` instead of a return probe. */
#ifndef RACEGUARD_FUNCTIONS_BPF_H
#define RACEGUARD_FUNCTIONS_BPF_H

#include "bpf/argument.bpf.h"
#include "bpf/drop.bpf.h"
#include "bpf/error_test.h"
#include "bpf/kernel_types.bpf.h"

/* The target of the current process if its functions are counted. First of all: other processes run the same file. */
static __always_inline struct rg_target *rg_function_target(rg_u64 pid_tgid)
{
	rg_u32 tgid = pid_tgid >> 32;
	struct rg_target *target = bpf_map_lookup_elem(&rg_targets, &tgid);

	return target && (target->flags & RG_TARGET_FUNCTIONS) ? target : 0;
}

/* Another program of the same file, or another policy's target. The kernel has handled its hit all the same. */
static __always_inline void rg_count_foreign(struct pt_regs *ctx)
{
	rg_u32 function_id = (rg_u32)bpf_get_attach_cookie(ctx);
	struct rg_function_counters *figures = bpf_map_lookup_elem(&rg_function_figures, &function_id);

	if (figures)
		__sync_fetch_and_add(&figures->foreign, 1);
}

/* Each call on its own: one in four by turns would see the same one of four calls that come in turns. */
static __always_inline int rg_sees_return(const struct rg_function_config *config)
{
	if (!config->return_shift)
		return 1;
	return config->return_shift < 32 && !(bpf_get_prandom_u32() & ((1u << config->return_shift) - 1));
}

/* 1: the return can be matched. */
static __always_inline int rg_remember_call(const struct rg_call_key *key)
{
	struct rg_call call = {.entry_ns = bpf_ktime_get_ns()};
	int error = bpf_map_update_elem(&rg_calls, key, &call, BPF_NOEXIST);

	if (error == -RG_EEXIST) { /* the frame was left by a longjmp or an exception, and is used again */
		rg_drop(RG_DROP_CALL_EXPIRED);
		error = bpf_map_update_elem(&rg_calls, key, &call, BPF_ANY);
	}
	if (error)
		rg_drop_update(error, RG_DROP_CALLS_FULL);
	return !error;
}

/* Which objects are used, and by more than one thread? An object that comes again costs a lookup. */
static __always_inline void rg_see_object(const struct pt_regs *ctx, const struct rg_function_config *config,
					  const struct rg_call_key *call)
{
	struct rg_object_key key = {.address = rg_argument(ctx, config->object_argument),
				    .tgid = call->pid_tgid >> 32,
				    .function_id = call->function_id};
	rg_u32 tid = (rg_u32)call->pid_tgid;
	struct rg_object *known;

	if (!key.address)
		return;
	known = bpf_map_lookup_elem(&rg_objects, &key);
	if (!known) {
		struct rg_object seen = {.last_ns = bpf_ktime_get_ns(), .first_tid = tid};

		bpf_map_update_elem(&rg_objects, &key, &seen, BPF_ANY);
		return;
	}
	known->last_ns = bpf_ktime_get_ns();
	if (known->first_tid != tid)
		known->other_tid = tid;
}

/* sp + cfa_offset is the stack pointer that the caller has after the call. 1: the return is to be seen. */
static __always_inline int rg_see_entry(struct pt_regs *ctx)
{
	struct rg_call_key key = {.pid_tgid = bpf_get_current_pid_tgid()};
	struct rg_target *target = rg_function_target(key.pid_tgid);
	struct rg_function_counters *figures;
	struct rg_function_config *config;

	if (!target) {
		rg_count_foreign(ctx);
		return 0;
	}
	key.function_id = (rg_u32)bpf_get_attach_cookie(ctx);
	config = bpf_map_lookup_elem(&rg_functions, &key.function_id);
	figures = bpf_map_lookup_elem(&rg_function_figures, &key.function_id);
	if (!config || !figures || config->in_use == RG_SLOT_FREE) {
		rg_drop(RG_DROP_FUNCTION_UNKNOWN);
		return 0;
	}
	if (config->in_use != RG_SLOT_ACTIVE)
		return 0;
	if (config->target_id != target->target_id) {
		__sync_fetch_and_add(&figures->foreign, 1);
		return 0;
	}
	__sync_fetch_and_add(&figures->calls, 1);
	if (config->object_argument)
		rg_see_object(ctx, config, &key);
	if (!rg_sees_return(config))
		return 0;
	__sync_fetch_and_add(&figures->awaited, 1);
	key.cfa = ctx->sp + config->cfa_offset;
	return rg_remember_call(&key);
}

SEC("uprobe")
int rg_function_entry(struct pt_regs *ctx)
{
	rg_see_entry(ctx);
	return 0;
}

static __always_inline void rg_count_return(struct rg_function_counters *figures, const struct rg_function_config *config,
					    rg_u64 duration_ns, rg_u64 result)
{
	__sync_fetch_and_add(&figures->returns, 1);
	__sync_fetch_and_add(&figures->total_ns, duration_ns);
	__sync_fetch_and_add(&figures->histogram[rg_histogram_bucket(duration_ns) & (RG_HISTOGRAM_BUCKETS - 1)], 1);
	rg_raise(&figures->max_ns, duration_ns);
	if (config->slow_ns && duration_ns >= config->slow_ns)
		__sync_fetch_and_add(&figures->slow, 1);
	if (rg_is_error(config, result))
		__sync_fetch_and_add(&figures->errors, 1);
}

/* How long this program took until now, now and then: its part of what a hit costs. */
static __always_inline void rg_time_program(struct rg_function_counters *figures, rg_u64 start_ns)
{
	rg_u64 took_ns;

	if (figures->returns & (RG_TIMED_EACH - 1))
		return;
	took_ns = bpf_ktime_get_ns() - start_ns;
	if (took_ns > RG_TIMED_MAX_NS)
		took_ns = RG_TIMED_MAX_NS;
	__sync_fetch_and_add(&figures->timed, 1);
	__sync_fetch_and_add(&figures->timed_ns, took_ns);
	if (took_ns >= RG_TIMED_LONG_NS) {
		__sync_fetch_and_add(&figures->timed_long, 1);
		__sync_fetch_and_add(&figures->timed_long_ns, took_ns);
	}
}

/* The result is in rax. `unmatched`: a return whose call is not known was lost. */
static __always_inline void rg_see_return(struct pt_regs *ctx, rg_u64 cfa, int unmatched)
{
	rg_u64 now_ns = bpf_ktime_get_ns(), entry_ns;
	struct rg_call_key key = {.pid_tgid = bpf_get_current_pid_tgid(), .cfa = cfa};
	struct rg_target *target = rg_function_target(key.pid_tgid);
	struct rg_function_counters *figures;
	struct rg_function_config *config;
	struct rg_call *call;

	if (!target)
		return;
	key.function_id = (rg_u32)bpf_get_attach_cookie(ctx);
	config = bpf_map_lookup_elem(&rg_functions, &key.function_id);
	figures = bpf_map_lookup_elem(&rg_function_figures, &key.function_id);
	if (!config || !figures)
		return;
	call = bpf_map_lookup_elem(&rg_calls, &key);
	if (!call) {
		if (unmatched && config->in_use == RG_SLOT_ACTIVE && config->target_id == target->target_id && !config->return_shift)
			rg_drop(RG_DROP_CALL_UNMATCHED);
		return;
	}
	entry_ns = call->entry_ns;
	bpf_map_delete_elem(&rg_calls, &key);
	rg_count_return(figures, config, now_ns - entry_ns, ctx->ax);
	rg_time_program(figures, now_ns);
}

/* At a return probe sp is the CFA already. */
SEC("uprobe")
int rg_function_return(struct pt_regs *ctx)
{
	rg_see_return(ctx, ctx->sp, 1);
	return 0;
}

/* At a `ret` itself, where the return address is still on top. Calls that began before the probe come by as well. */
SEC("uprobe")
int rg_function_ret(struct pt_regs *ctx)
{
	rg_see_return(ctx, ctx->sp + sizeof(rg_u64), 0);
	return 0;
}

/* A session: at the entry, 1 spares the caller the return probe. At the return the instruction pointer is where the
 * caller goes on, which is never the site; bpf_session_is_return() would need the kernel's BTF of its modules. */
SEC("uprobe")
int rg_function_session(struct pt_regs *ctx)
{
	if (bpf_get_func_ip(ctx) == ctx->ip)
		return rg_see_entry(ctx) ? 0 : 1;
	rg_see_return(ctx, ctx->sp, 1);
	return 0;
}

/* Sits on switch markers, which never run: the kernel counts the uprobe itself in the switch's word. */
SEC("uprobe")
int rg_marker(struct pt_regs *ctx)
{
	return 0;
}

#endif
