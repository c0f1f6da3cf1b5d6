/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take locks of a kind until their input ends. Says "ready" once they run.
 *   spin       a spin lock
 *   condition  one waits for a condition, 2 ms each time, with another lock held; the other one signals
 *   try        two locks in both orders, the second one by trylock
 *   timed      the same by timedlock
 *   split      one lock for many keys: four callers meet in the function that takes it
 *   replace    readers of what a pointer points to, and a writer who replaces the pointer */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock_a = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock_b = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t pointer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_spinlock_t spin_lock;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static atomic_int stop, turn;
static volatile long sink;

static long table[2][8] = {{1}, {2}};
static long *volatile current = table[0];

static void pass(long ns)
{
	struct timespec pause = {.tv_nsec = ns};

	nanosleep(&pause, NULL);
}

static void *spin(void *unused)
{
	(void)unused;
	while (!stop) {
		pthread_spin_lock(&spin_lock);
		++sink;
		pthread_spin_unlock(&spin_lock);
	}
	return NULL;
}

static void *wait_for_change(void *unused)
{
	(void)unused;
	while (!stop) {
		pthread_mutex_lock(&lock_a);
		pthread_mutex_lock(&lock_b);
		pthread_cond_wait(&changed, &lock_b);
		pthread_mutex_unlock(&lock_b);
		pthread_mutex_unlock(&lock_a);
	}
	return NULL;
}

static void *change(void *unused)
{
	(void)unused;
	for (;;) {
		pass(2000000);
		pthread_mutex_lock(&lock_b);
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock_b);
	}
	return NULL;
}

static int try_it(pthread_mutex_t *lock)
{
	return pthread_mutex_trylock(lock);
}

static int try_for_a_while(pthread_mutex_t *lock)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 5;
	return pthread_mutex_timedlock(lock, &end);
}

static int (*second)(pthread_mutex_t *lock);

static void both(pthread_mutex_t *first, pthread_mutex_t *other, int own)
{
	while (!stop) {
		if (turn != own) {
			sched_yield();
			continue;
		}
		pthread_mutex_lock(first);
		if (second(other) == 0) {
			++sink;
			pthread_mutex_unlock(other);
		}
		pthread_mutex_unlock(first);
		turn = 1 - own;
	}
}

static void *a_then_b(void *unused)
{
	(void)unused;
	both(&lock_a, &lock_b, 0);
	return NULL;
}

static void *b_then_a(void *unused)
{
	(void)unused;
	both(&lock_b, &lock_a, 1);
	return NULL;
}

__attribute__((noinline)) static void with_key(long key)
{
	pthread_mutex_lock(&lock_a);
	pass(50000); /* the others come meanwhile */
	sink = sink + key;
	pthread_mutex_unlock(&lock_a);
	pass(50000);
	asm volatile("" ::: "memory"); /* no tail call: who called must stay on the stack */
}

#define CALLER(name, key)                                \
	static void *name(void *unused)                  \
	{                                                \
		(void)unused;                            \
		while (!stop)                            \
			with_key(key);                   \
		return NULL;                             \
	}
CALLER(call_with_1, 1)
CALLER(call_with_2, 2)
CALLER(call_with_3, 3)
CALLER(call_with_4, 4)

__attribute__((noinline)) static long look(void)
{
	long value;

	pthread_mutex_lock(&pointer_lock);
	value = *current;
	pthread_mutex_unlock(&pointer_lock);
	return value;
}

__attribute__((noinline)) static void replace(long *by)
{
	pthread_mutex_lock(&pointer_lock);
	current = by;
	pthread_mutex_unlock(&pointer_lock);
}

static void *look_mostly(void *unused)
{
	long sum = 0;

	(void)unused;
	for (long i = 0; !stop; ++i) {
		if (i % 20 == 0)
			replace(table[i % 40 == 0]);
		else
			sum += look();
	}
	sink = sum;
	return NULL;
}

struct mode {
	const char *name;
	void *(*threads[4])(void *);
	int (*second)(pthread_mutex_t *);
};
static const struct mode modes[] = {
	{"spin", {spin, spin}, NULL},
	{"condition", {wait_for_change, change}, NULL},
	{"try", {a_then_b, b_then_a}, try_it},
	{"timed", {a_then_b, b_then_a}, try_for_a_while},
	{"split", {call_with_1, call_with_2, call_with_3, call_with_4}, NULL},
	{"replace", {look_mostly, look_mostly}, NULL},
};

int main(int argc, char **argv)
{
	char byte;

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); ++i) {
		pthread_t thread;

		if (argc != 2 || strcmp(argv[1], modes[i].name) != 0)
			continue;
		pthread_spin_init(&spin_lock, PTHREAD_PROCESS_PRIVATE);
		second = modes[i].second;
		for (int j = 0; j < 4 && modes[i].threads[j]; ++j)
			pthread_create(&thread, NULL, modes[i].threads[j], NULL);
		puts("ready");
		fflush(stdout);
		while (read(STDIN_FILENO, &byte, 1) > 0) {
		}
		_exit(0);
	}
	fputs("usage: lock_kinds spin|condition|try|timed|split|replace\n", stderr);
	return 2;
}
