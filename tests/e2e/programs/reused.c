/* SPDX-License-Identifier: Apache-2.0 */
/* No race: memory that is an account for 20 ms, under a lock, and then a gauge for 20 ms, by atomics without a lock
 * prefix, and so on at one address. Runs until its standard input closes. */
#include <stdatomic.h>

#include "support/pace.h"

struct account {
	char owner[24];
	long balance;
};

struct gauge {
	char owner[24];
	_Atomic long value;
};

static pthread_mutex_t account_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t gauge_life = PTHREAD_RWLOCK_INITIALIZER;
static struct account *account;
static struct gauge *gauge;

__attribute__((noinline)) void deposit(struct account *to, long amount)
{
	if (amount < 0)
		return;
	to->balance += amount;
}

__attribute__((noinline)) void set(struct gauge *which, long value)
{
	atomic_store_explicit(&which->value, value, memory_order_release);
}

static void *teller(void *unused)
{
	for (long round = 0;; ++round) {
		pthread_mutex_lock(&account_lock);
		if (account)
			deposit(account, round & 0xff);
		pthread_mutex_unlock(&account_lock);
		pause_us(40);
	}
	return unused;
}

static void *meter(void *unused)
{
	for (long round = 0;; ++round) {
		pthread_rwlock_rdlock(&gauge_life);
		for (int i = 0; gauge && i < 20; ++i)
			set(gauge, round);
		pthread_rwlock_unlock(&gauge_life);
		pause_us(20);
	}
	return unused;
}

int main(int argc, char **argv)
{
	end_with_stdin(argc, argv);
	for (int i = 0; i < 2; ++i) {
		start_thread(teller, NULL);
		start_thread(meter, NULL);
	}
	for (;;) {
		pthread_mutex_lock(&account_lock);
		account = calloc(1, sizeof(*account));
		pthread_mutex_unlock(&account_lock);
		pause_us(20000);
		pthread_mutex_lock(&account_lock);
		free(account);
		account = NULL;
		pthread_mutex_unlock(&account_lock);

		pthread_rwlock_wrlock(&gauge_life);
		gauge = calloc(1, sizeof(*gauge));
		pthread_rwlock_unlock(&gauge_life);
		pause_us(20000);
		pthread_rwlock_wrlock(&gauge_life);
		free(gauge);
		gauge = NULL;
		pthread_rwlock_unlock(&gauge_life);
	}
}
