// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Lock and unlock calls of one process during a burst. An object of its own, attached for some milliseconds at a time.
// Kernel floor: 6.6 (uprobe_multi with a pid).
//
// The probed functions: int pthread_mutex_lock(pthread_mutex_t *rdi) and its kind; int pthread_cond_wait(pthread_cond_t
// *rdi, pthread_mutex_t *rsi). At their sites the first arguments are in place; the attach cookie says the rest.
#include "bpf/kernel_types.bpf.h"

#include <bpf/bpf_helpers.h>

#include "bpf/burst_count.bpf.h"
#include "bpf/burst_maps.bpf.h"
#include "bpf/held_locks.h"

#define RG_NO_RETURN_PROBE 1
#define RG_RETURN_PROBE 0
#define RG_ZERO_FLAG 0x40u

/* include/linux/bpf.h of a kernel that has uprobe sessions (6.13: d920179b3d48). */
extern _Bool bpf_session_is_return(void) __ksym __weak;

/* Counts the hit. The figures if the burst is on and the process is the one that it is for. */
static __always_inline struct rg_burst_figures *rg_burst_hit(rg_u64 pid_tgid, rg_u64 cookie)
{
	rg_u32 zero = 0;
	struct rg_burst_figures *figures = bpf_map_lookup_elem(&rg_burst_figures, &zero);
	rg_u64 burst = rg_burst_number;

	if (!figures)
		return 0;
	figures->hits++;
	if (cookie & RG_CALL_STEPPED)
		figures->stepped_hits++;
	if (pid_tgid >> 32 != rg_burst_tgid) {
		figures->foreign_hits++;
		return 0;
	}
	if (!rg_burst_on)
		return 0;
	if (figures->burst != burst) {
		figures->burst = burst;
		figures->burst_hits = 0;
	}
	if (++figures->burst_hits > rg_burst_max_hits) {
		rg_burst_on = 0;
		figures->ended_early++;
		return 0;
	}
	figures->worked++;
	return figures;
}

/* How long programs take, by a share of those that have work: their part of what a hit costs. 0: not this one. */
static __always_inline rg_u64 rg_clock_in(void)
{
	if (!rg_burst_on || (bpf_get_prandom_u32() & (RG_BURST_TIMED_EACH - 1)))
		return 0;
	return bpf_ktime_get_ns();
}

static __always_inline void rg_clock_out(rg_u64 start_ns)
{
	struct rg_burst_figures *figures;
	rg_u32 zero = 0;
	rg_u64 took_ns;

	if (!start_ns)
		return;
	figures = bpf_map_lookup_elem(&rg_burst_figures, &zero);
	if (!figures)
		return;
	took_ns = bpf_ktime_get_ns() - start_ns;
	figures->timed++;
	figures->timed_ns += took_ns < RG_BURST_TIMED_MAX_NS ? took_ns : RG_BURST_TIMED_MAX_NS;
}

static __always_inline struct rg_burst_thread *rg_burst_thread_of(rg_u32 tid)
{
	struct rg_burst_thread *thread = bpf_map_lookup_elem(&rg_burst_threads, &tid);
	static const struct rg_burst_thread kNew;
	int error;

	if (!thread) {
		error = bpf_map_update_elem(&rg_burst_threads, &tid, &kNew, BPF_NOEXIST);
		if (error && error != -RG_EEXIST)
			rg_drop_update(error, RG_DROP_BURST_THREADS_FULL);
		thread = bpf_map_lookup_elem(&rg_burst_threads, &tid);
	}
	if (thread)
		rg_begin_burst(thread, rg_burst_number);
	return thread;
}

/* Behind the call of the probed function; 0: could not be read. */
static __always_inline rg_u64 rg_caller_ip(struct pt_regs *ctx, rg_u64 cookie)
{
	rg_u64 ip = 0;

	bpf_probe_read_user(&ip, sizeof(ip), (void *)(ctx->sp + (cookie >> RG_CALL_CFA_SHIFT) - 8));
	return ip;
}

static __always_inline int rg_gets_it_now(struct pt_regs *ctx, rg_u32 calls, rg_u64 address)
{
	rg_u32 word = 1;

	if (calls & RG_CALL_DECREMENT)
		return 1;
	if (bpf_probe_read_user(&word, sizeof(word), (void *)address))
		return 0;
	return rg_is_free(calls, word);
}

static __always_inline void rg_release(struct rg_burst_figures *figures, struct rg_burst_thread *thread, rg_u64 address,
				       rg_u64 now_ns, rg_u64 release_ip)
{
	rg_u32 at = rg_find_held(thread, address);

	if (at >= RG_HELD_LOCKS) {
		figures->unseen_unlocks++;
		rg_doubt(thread);
		return;
	}
	if (thread->held[at].depth) {
		thread->held[at].depth--;
		return;
	}
	rg_count_hold(&thread->held[at], now_ns, release_ip);
	rg_remove_held(thread, at);
}

/* A call that asks for a lock. Says whether its return must be seen. */
static __always_inline int rg_ask(struct pt_regs *ctx)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid(), cookie = bpf_get_attach_cookie(ctx);
	struct rg_burst_figures *figures = rg_burst_hit(pid_tgid, cookie);
	struct rg_burst_cause cause = {.reason = RG_BURST_SITE};
	struct rg_burst_site_key key = {};
	struct rg_burst_thread *thread;
	struct rg_burst_site *site;
	rg_u32 tid = (rg_u32)pid_tgid, i;
	rg_u64 asked, first, second;

	if (!figures)
		return RG_NO_RETURN_PROBE;
	key.calls = (rg_u32)cookie & (RG_CALL_STEPPED - 1);
	/* A spin lock that is taken: it comes by again. */
	if ((key.calls & RG_CALL_DECREMENT) && !(ctx->flags & RG_ZERO_FLAG))
		return RG_NO_RETURN_PROBE;
	thread = rg_burst_thread_of(tid);
	if (!thread)
		return RG_NO_RETURN_PROBE;
	cause.time_ns = bpf_ktime_get_ns();
	first = ctx->di;
	second = ctx->si;
	barrier_var(first); /* else one load at either of two offsets, which the verifier refuses */
	barrier_var(second);
	key.address = key.calls & RG_CALL_CONDITION ? second : first;
	key.ip = rg_caller_ip(ctx, cookie);
	if (key.calls & RG_CALL_CONDITION) {
		rg_release(figures, thread, key.address, cause.time_ns, key.ip);
	} else if (rg_find_held(thread, key.address) < RG_HELD_LOCKS) {
		/* A recursive mutex, or a second read lock: got at once. */
		if (!(key.calls & RG_CALL_TRY)) {
			rg_count_taken(thread, &key, tid, 0);
			return RG_NO_RETURN_PROBE;
		}
	} else {
		cause.locks.wanted = key.address;
		cause.locks.wanted_ip = key.ip;
		cause.locks.wanted_calls = key.calls;
		site = rg_burst_site_of(&key);
		asked = site ? __sync_fetch_and_add(&site->asked, 1) + 1 : 0;
		/* The first, second, fourth, ... call from a place: all places, and more stacks of the busy ones. */
		if (asked && !(asked & (asked - 1)))
			rg_send_burst(ctx, &cause);
		if (rg_makes_order(key.calls) && rg_is_settled(thread)) {
			for (i = 0; i < RG_HELD_LOCKS; i++) {
				if (i >= thread->count)
					break;
				rg_count_order(ctx, thread, i, &cause);
				thread->flags |= RG_THREAD_ORDERED;
			}
		}
		if (rg_gets_it_now(ctx, key.calls, key.address)) {
			rg_count_taken(thread, &key, tid, 0);
			return RG_NO_RETURN_PROBE;
		}
	}
	thread->wanted = key.address;
	thread->wanted_ns = cause.time_ns;
	thread->wanted_ip = key.ip;
	thread->wanted_calls = key.calls;
	return RG_RETURN_PROBE;
}

/* Its return. */
static __always_inline int rg_got(struct pt_regs *ctx)
{
	rg_u64 pid_tgid = bpf_get_current_pid_tgid(), waited_ns = 0;
	struct rg_burst_figures *figures = rg_burst_hit(pid_tgid, 0);
	rg_u32 tid = (rg_u32)pid_tgid;
	struct rg_burst_thread *thread = bpf_map_lookup_elem(&rg_burst_threads, &tid);
	struct rg_burst_site_key key = {};

	if (figures)
		figures->returns++;
	if (!thread || !thread->wanted)
		return 0;
	key.address = thread->wanted;
	key.ip = thread->wanted_ip;
	key.calls = thread->wanted_calls;
	thread->wanted = 0;
	if (!figures || thread->burst != rg_burst_number || !rg_was_taken(key.calls, (rg_s32)ctx->ax))
		return 0;
	if (!(key.calls & (RG_CALL_TRY | RG_CALL_CONDITION)))
		waited_ns = bpf_ktime_get_ns() - thread->wanted_ns;
	rg_count_taken(thread, &key, tid, waited_ns);
	return 0;
}

/* Entry and return in one program, where the kernel has it: a call that gets its lock at once, as nearly all do, pays
 * no return probe. */
SEC("uprobe")
int rg_lock_session(struct pt_regs *ctx)
{
	rg_u64 start_ns = rg_clock_in();
	int result = bpf_session_is_return() ? rg_got(ctx) : rg_ask(ctx);

	rg_clock_out(start_ns);
	return result;
}

/* The same in two, for other kernels. */
SEC("uprobe")
int rg_lock_entry(struct pt_regs *ctx)
{
	rg_u64 start_ns = rg_clock_in();

	rg_ask(ctx);
	rg_clock_out(start_ns);
	return 0;
}

SEC("uprobe")
int rg_lock_return(struct pt_regs *ctx)
{
	rg_u64 start_ns = rg_clock_in();

	rg_got(ctx);
	rg_clock_out(start_ns);
	return 0;
}

static __always_inline void rg_let_go(struct pt_regs *ctx)
{
	rg_u64 now_ns = bpf_ktime_get_ns(), pid_tgid = bpf_get_current_pid_tgid(), cookie = bpf_get_attach_cookie(ctx);
	struct rg_burst_figures *figures = rg_burst_hit(pid_tgid, cookie);
	struct rg_burst_thread *thread;
	rg_u32 tid = (rg_u32)pid_tgid;

	if (!figures)
		return;
	thread = rg_burst_thread_of(tid);
	if (thread)
		rg_release(figures, thread, ctx->di, now_ns, rg_caller_ip(ctx, cookie));
}

/* int pthread_mutex_unlock(pthread_mutex_t *rdi) and its kind. */
SEC("uprobe")
int rg_unlock(struct pt_regs *ctx)
{
	rg_u64 start_ns = rg_clock_in();

	rg_let_go(ctx);
	rg_clock_out(start_ns);
	return 0;
}

char rg_license[] SEC("license") = "Dual BSD/GPL";
