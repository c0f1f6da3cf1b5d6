// SPDX-License-Identifier: Apache-2.0
// A program with known behaviour, to be watched. Reads a command a line from stdin, does it, answers with one line.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROBED __attribute__((noipa, used)) // noipa: a call of a pure function must stay a call

// The word and its marker, as raceguard/switch.h lays them out: two one-byte instructions that never run.
__attribute__((section(".probes"), used)) volatile uint16_t switch_word = 0;
extern char switch_marker[];
__asm__(".text\n.globl switch_marker\nswitch_marker: nop\nnop\nret\n");

static void sleep_us(long us)
{
	struct timespec time = {us / 1000000, us % 1000000 * 1000};

	while (nanosleep(&time, &time) != 0 && errno == EINTR)
		;
}

PROBED int work(int i) // every tenth call fails
{
	return i % 10 == 0 ? -1 : i;
}

PROBED int slow(long us)
{
	sleep_us(us);
	return 0;
}

PROBED long recurse(int depth)
{
	return depth == 0 ? 1 : recurse(depth - 1) + 1;
}

static jmp_buf back;
PROBED void jump_out(void)
{
	longjmp(back, 1);
}

PROBED void *exit_thread(void *unused)
{
	(void)unused;
	pthread_exit(0);
}

pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
static long holds, hold_us;
PROBED void hold_lock(void)
{
	pthread_mutex_lock(&contended);
	sleep_us(hold_us);
	pthread_mutex_unlock(&contended);
}
static void *convoy_thread(void *unused)
{
	(void)unused;
	for (long i = 0; i < holds; i++)
		hold_lock();
	return 0;
}

pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static int queued;
static atomic_int consumer_tid;
static atomic_long consumed;
static void *consumer(void *count)
{
	consumer_tid = gettid();
	for (long i = 0; i < (long)count; i++) {
		pthread_mutex_lock(&queue_lock);
		while (!queued)
			pthread_cond_wait(&queue_filled, &queue_lock);
		queued--;
		consumed++;
		pthread_mutex_unlock(&queue_lock);
	}
	return 0;
}

static void run_threads(int count, void *(*body)(void *), void *argument)
{
	pthread_t threads[64];

	for (int i = 0; i < count; i++)
		pthread_create(&threads[i], 0, body, argument);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], 0);
}

// True while the kernel has the thread asleep in a futex wait for the condition.
static int waits_for_condition(int tid)
{
	char path[64], line[128] = "";
	uint64_t number = 0, address = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	FILE *file = fopen(path, "r");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file))
		sscanf(line, "%" SCNu64 " %" SCNx64, &number, &address);
	fclose(file);
	return number == SYS_futex && address - (uint64_t)&queue_filled < sizeof(queue_filled);
}

// Each of the count signals ends one wait: the next comes when the consumer sleeps again. What it consumed tells a new
// sleep from the last one: a thread whose wake-up is on its way to another CPU still looks asleep.
static void feed_consumer(long count)
{
	pthread_t thread;

	consumer_tid = 0;
	consumed = 0;
	pthread_create(&thread, 0, consumer, (void *)count);
	for (long i = 0; i < count; i++) {
		while (!consumer_tid || consumed < i || !waits_for_condition(consumer_tid))
			sleep_us(100);
		pthread_mutex_lock(&queue_lock);
		queued++;
		pthread_cond_signal(&queue_filled);
		pthread_mutex_unlock(&queue_lock);
	}
	pthread_join(thread, 0);
}

static void *wait_for_ever(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&contended);
	return 0;
}

static uint64_t file_offset(const void *address)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uint64_t start, end, offset, found = 0;
	char line[1024];

	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) == 3 &&
		    (uint64_t)address >= start && (uint64_t)address < end)
			found = (uint64_t)address - start + offset;
	}
	fclose(maps);
	return found;
}

static const struct {
	const char *name;
	const void *address;
} places[] = {
	{"work", work}, {"slow", slow}, {"recurse", recurse}, {"jump_out", jump_out}, {"exit_thread", exit_thread},
	{"hold_lock", hold_lock}, {"marker", switch_marker}, {"word", (const void *)&switch_word},
};

static int calls_in_child(int count)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		for (int i = 1; i <= count; i++)
			work(i);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return (int)child;
}

static long run(const char *command, const char *name, long a, long b)
{
	if (!strcmp(command, "offset")) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			if (!strcmp(places[i].name, name))
				return (long)file_offset(places[i].address);
	} else if (!strcmp(command, "work")) {
		for (long i = 1; i <= a; i++)
			work((int)i);
	} else if (!strcmp(command, "slow")) {
		for (long i = 0; i < a; i++)
			slow(b);
	} else if (!strcmp(command, "recurse")) {
		return recurse((int)a);
	} else if (!strcmp(command, "jump")) {
		for (volatile long i = 0; i < a; i++)
			if (setjmp(back) == 0)
				jump_out();
	} else if (!strcmp(command, "exit_threads")) {
		for (long i = 0; i < a; i++)
			run_threads(1, exit_thread, 0);
	} else if (!strcmp(command, "convoy")) { // 4 threads, a holds of b us each
		holds = a;
		hold_us = b;
		run_threads(4, convoy_thread, 0);
		return (long)&contended;
	} else if (!strcmp(command, "consume")) {
		feed_consumer(a);
		return (long)&queue_filled;
	} else if (!strcmp(command, "block")) { // leaves a threads waiting for the lock
		pthread_t thread;
		pthread_mutex_lock(&contended);
		for (long i = 0; i < a; i++)
			pthread_create(&thread, 0, wait_for_ever, 0);
		return (long)&contended;
	} else if (!strcmp(command, "unblock")) {
		pthread_mutex_unlock(&contended);
	} else if (!strcmp(command, "fork")) {
		return calls_in_child((int)a);
	} else if (!strcmp(command, "exec")) {
		execl("/proc/self/exe", "target", (char *)0);
	} else if (!strcmp(command, "word")) {
		return switch_word;
	} else if (!strcmp(command, "tid")) {
		return gettid();
	}
	return 0;
}

int main(void)
{
	char line[256], command[32], name[64];

	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		long a = 0, b = 0;

		name[0] = 0;
		if (sscanf(line, "%31s %63s %ld", command, name, &b) < 1)
			continue;
		a = strtol(name, 0, 10);
		printf("%ld\n", run(command, name, a, b));
		fflush(stdout);
	}
	return 0;
}
