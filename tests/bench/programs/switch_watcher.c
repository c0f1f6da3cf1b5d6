/* SPDX-License-Identifier: Apache-2.0 */
/* switch_watcher: an application with one switch that does nothing but look at it, at its word and at its slot in the
 * shared page ($RACEGUARD_PAGE), and says when each changed. One line a change:
 *     word|page VALUE SEEN_NS BLIND_NS
 * SEEN_NS is CLOCK_MONOTONIC after the first look that found the value, BLIND_NS how long that is after the time before
 * the last look that did not: some 100 ns, or as long as something else had this CPU. Ends with the process that started it. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "raceguard/switch.h"

RG_SWITCH_DEFINE(watched, "bench.watched");

struct watched_value {
	const char *name;
	rg_u32 value;
};

static void report_change(struct watched_value *known, rg_u32 value, rg_u64 seen_ns, rg_u64 before_ns)
{
	if (value == known->value)
		return;
	known->value = value;
	printf("%s %u %llu %llu\n", known->name, value, (unsigned long long)seen_ns,
	       (unsigned long long)(seen_ns - before_ns));
	fflush(stdout);
}

/* Waits for a page with our slot in it. */
static const struct rg_page_slot *find_slot(void)
{
	const struct rg_page_slot *slot = NULL;

	while (!slot) {
		rg_page_poll(&rg_default_page, rg_now_ns());
		slot = rg_page_find(&rg_default_page, "bench.watched");
		(void)poll(NULL, 0, 1);
	}
	return slot;
}

int main(void)
{
	struct watched_value word = {"word", 0}, page = {"page", 0};
	const struct rg_page_slot *slot;
	rg_u64 before_last_ns, last_ns, now_ns; /* before the last look, after it, and after this one */

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	slot = find_slot();
	printf("watching\n");
	fflush(stdout);
	last_ns = now_ns = rg_now_ns();
	for (;;) {
		rg_u32 word_now = rg_word_load(&raceguard_word_watched);
		rg_u32 page_now = __atomic_load_n(&slot->state, __ATOMIC_RELAXED);

		before_last_ns = last_ns;
		last_ns = now_ns;
		now_ns = rg_now_ns();
		report_change(&page, page_now, now_ns, before_last_ns);
		report_change(&word, word_now, now_ns, before_last_ns);
	}
}
