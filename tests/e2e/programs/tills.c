/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads add to one balance without a lock, a few thousand times a second, beside other work. After each round they
 * meet and count the updates that got lost. For each line that it reads it prints "lost N of M in R rounds", since the
 * start. Ends with its standard input. */
#include <pthread.h>
#include <stdio.h>

#define THREADS 2
#define DEPOSITS 100 /* of each thread in a round */

struct account {
	long deposits;
	long balance;
};
static struct account till;

static pthread_barrier_t round_ends;
static long lost, made, rounds;

/* Not `pause`: a virtual machine's host takes the CPU away for that. */
__attribute__((noipa)) static void work(int turns)
{
	for (int i = 0; i < turns; ++i)
		__asm__ volatile("");
}

__attribute__((noipa)) long deposit(struct account *account, long amount)
{
	long balance = *(volatile long *)&account->balance;

	work(30000);
	*(volatile long *)&account->balance = balance + amount;
	return amount;
}

static void *serve(void *first)
{
	for (;;) {
		for (int i = 0; i < DEPOSITS; ++i) {
			deposit(&till, 1);
			work(600000);
		}
		pthread_barrier_wait(&round_ends);
		if (first) {
			__atomic_fetch_add(&lost, THREADS * DEPOSITS - till.balance, __ATOMIC_RELAXED);
			__atomic_fetch_add(&made, THREADS * DEPOSITS, __ATOMIC_RELAXED);
			__atomic_fetch_add(&rounds, 1, __ATOMIC_RELEASE);
			till.balance = 0;
		}
		pthread_barrier_wait(&round_ends);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	char line[64];

	pthread_barrier_init(&round_ends, NULL, THREADS);
	for (long i = 0; i < THREADS; ++i)
		pthread_create(&threads[i], NULL, serve, i == 0 ? &till : NULL);
	while (fgets(line, sizeof(line), stdin)) {
		long now = __atomic_load_n(&rounds, __ATOMIC_ACQUIRE);

		printf("lost %ld of %ld in %ld rounds\n", __atomic_load_n(&lost, __ATOMIC_RELAXED),
		       __atomic_load_n(&made, __ATOMIC_RELAXED), now);
		fflush(stdout);
	}
	return 0;
}
