/* SPDX-License-Identifier: Apache-2.0 */
/* Objects on the heap that a function is called with: two that live long and are raced on, and one for each round that
 * only its maker has. Runs until its standard input closes. */
#include "support/pace.h"

struct account {
	char owner[24];
	long balance;
	long last;
};

__attribute__((noinline)) void deposit(struct account *account, long amount)
{
	if (amount < 0)
		return;
	account->balance += amount; /* race:1 */
	account->last = amount; /* race:2 */
}

static struct account *accounts[2];

static void *teller(void *unused)
{
	for (unsigned round = 0;; ++round) {
		struct account *own = calloc(1, sizeof(*own));

		deposit(accounts[round % 2], round);
		deposit(own, round);
		free(own);
		pause_us(60);
	}
	return unused;
}

int main(int argc, char **argv)
{
	end_with_stdin(argc, argv);
	for (int i = 0; i < 2; ++i)
		accounts[i] = calloc(1, sizeof(struct account));
	start_thread(teller, NULL);
	teller(NULL);
}
