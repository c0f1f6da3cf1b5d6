// SPDX-License-Identifier: Apache-2.0
// Threads that touch one variable, with and without locks, to be watched. Reads a command a line from stdin, answers
// with one line. With the argument "namespace" it runs in a pid namespace of its own.
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

volatile long counter;
volatile long other_counter;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t unrelated = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_spinlock_t spinlock;
volatile int futex_word;

static volatile int running;
static volatile long pause_turns = 200;

static void think(void)
{
	for (long i = 0; i < pause_turns; i++)
		__asm__ volatile("pause");
}

__attribute__((noinline)) static void increment(void)
{
	counter++;
}

__attribute__((noinline)) static long look(void)
{
	return counter;
}

static long *heap; // the threads get it as their argument

static void *on_heap(void *pointer)
{
	volatile long *cell = pointer;

	while (running) {
		(*cell)++;
		think();
	}
	return 0;
}

// Where it writes is known from the multiplication on only, a few instructions before.
static void *hashed(void *pointer)
{
	volatile long *cells = pointer;

	for (unsigned long number = (unsigned long)&number; running; think()) {
		number = number * 6364136223846793005 + 1442695040888963407;
		cells[8 + (number >> 59)]++;
	}
	return 0;
}

static void *racy(void *unused)
{
	while (running) {
		increment();
		think();
	}
	return unused;
}

static void *locked(void *unused)
{
	while (running) {
		pthread_mutex_lock(&mutex);
		increment();
		pthread_mutex_unlock(&mutex);
		think();
	}
	return unused;
}

static void *reader(void *unused)
{
	while (running) {
		look();
		think();
	}
	return unused;
}

// Now and then, between many accesses of somebody else.
static void *rare_writer(void *unused)
{
	while (running) {
		increment();
		for (int i = 0; i < 100 && running; i++)
			think();
	}
	return unused;
}

static void *write_locked(void *unused)
{
	while (running) {
		pthread_rwlock_wrlock(&rwlock);
		increment();
		pthread_rwlock_unlock(&rwlock);
		think();
	}
	return unused;
}

static void *read_locked(void *unused)
{
	while (running) {
		pthread_rwlock_rdlock(&rwlock);
		look();
		pthread_rwlock_unlock(&rwlock);
		think();
	}
	return unused;
}

static void *spin_locked(void *unused)
{
	while (running) {
		pthread_spin_lock(&spinlock);
		increment();
		pthread_spin_unlock(&spinlock);
		think();
	}
	return unused;
}

static void *word_locked(void *unused) // as Rust's mutex does, without the sleep
{
	while (running) {
		while (__sync_lock_test_and_set(&futex_word, 1))
			sched_yield();
		increment();
		__sync_lock_release(&futex_word);
		think();
	}
	return unused;
}

struct work {
	const char *name;
	void *(*first)(void *);
	void *(*second)(void *); // 0: one thread
};
static const struct work works[] = {
	{"racy", racy, racy},
	{"locked", locked, locked},
	{"half_locked", locked, racy},
	{"readers", reader, reader},
	{"reader_writer", reader, racy},
	{"rarely_written", reader, rare_writer},
	{"rwlock", write_locked, read_locked},
	{"spin", spin_locked, spin_locked},
	{"word", word_locked, word_locked},
	{"single", racy, 0},
	{"on_heap", on_heap, on_heap},
	{"hashed", hashed, hashed},
};

static pthread_t threads[2];
static int thread_count;

static int start(const char *name)
{
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (strcmp(works[i].name, name) != 0)
			continue;
		running = 1;
		thread_count = 1;
		pthread_create(&threads[0], 0, works[i].first, heap);
		if (works[i].second)
			pthread_create(&threads[thread_count++], 0, works[i].second, heap);
		return 0;
	}
	return -1;
}

static void stop(void)
{
	running = 0;
	for (int i = 0; i < thread_count; i++)
		pthread_join(threads[i], 0);
	thread_count = 0;
}

struct symbol {
	const char *name;
	volatile void *address;
};
static const struct symbol symbols[] = {
	{"counter", &counter},   {"other_counter", &other_counter},
	{"mutex", &mutex},       {"unrelated", &unrelated},         {"rwlock", &rwlock},
	{"increment", (void *)increment},
	{"spinlock", (void *)&spinlock}, {"futex_word", &futex_word},
};

static intptr_t address_of(const char *name)
{
	if (strcmp(name, "heap") == 0)
		return (intptr_t)heap;
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
		if (strcmp(symbols[i].name, name) == 0)
			return (intptr_t)symbols[i].address;
	return 0;
}

static void serve(void)
{
	char command[64], argument[64];
	long number;

	puts("ready");
	while (scanf("%63s", command) == 1) {
		intptr_t answer = 0;

		if (strcmp(command, "address") == 0 && scanf("%63s", argument) == 1)
			answer = address_of(argument);
		else if (strcmp(command, "start") == 0 && scanf("%63s", argument) == 1)
			answer = start(argument);
		else if (strcmp(command, "pace") == 0 && scanf("%ld", &number) == 1)
			pause_turns = number;
		else if (strcmp(command, "touch") == 0 && scanf("%ld", &number) == 1)
			for (long i = 0; i < number; i++)
				look();
		else if (strcmp(command, "heap") == 0 && scanf("%ld", &number) == 1)
			answer = (intptr_t)memset(malloc((size_t)number), 1, (size_t)number);
		else if (strcmp(command, "bump") == 0 && scanf("%ld", &number) == 1)
			answer = ++*(volatile long *)number;
		else if (strcmp(command, "stop") == 0)
			stop();
		printf("%" PRIdPTR "\n", answer);
	}
}

int main(int count, char **arguments)
{
	setvbuf(stdout, 0, _IOLBF, 0);
	heap = calloc(64, sizeof(*heap));
	pthread_spin_init(&spinlock, PTHREAD_PROCESS_PRIVATE);
	if (count > 1 && strcmp(arguments[1], "namespace") == 0) {
		int status;
		pid_t child;

		if (unshare(CLONE_NEWPID) != 0)
			return 1;
		child = fork();
		if (child != 0)
			return waitpid(child, &status, 0) == child ? 0 : 1;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	serve();
	return 0;
}
