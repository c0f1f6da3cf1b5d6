/* SPDX-License-Identifier: Apache-2.0 */
/* lock_loss THREADS WORK: threads that lock, work for some iterations and unlock, each a mutex of its own, and add up
 * what they lose while somebody probes their locks. CPU time: what others take of the machine is no loss.
 *
 * Each thread takes its CPU time after batches of 256 sections. A batch costs what the median batch costs; what it took
 * beyond that is lost. Only batches beyond 4 times the median count: the smaller differences are the machine's.
 *
 * A line on standard input ends a phase; prints of each: seconds of CPU time used, of it lost, batches, median ns. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { kSections = 256, kMostThreads = 64, kMostBatches = 1 << 23 };

struct Worker {
	pthread_t thread;
	pthread_mutex_t lock;
	uint32_t *batches; /* ns; wraps never: a phase that has more ends early */
	size_t count;
	long sum;
};

static struct Worker workers[kMostThreads];
static long work;
static atomic_int phase; /* odd: running */

static int64_t cpu_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

__attribute__((noinline)) static void section(struct Worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	for (long i = 0; i < work; ++i)
		worker->sum = worker->sum * 31 + i;
	pthread_mutex_unlock(&worker->lock);
}

static void *run(void *argument)
{
	struct Worker *worker = argument;
	int64_t last = cpu_ns(), now;

	while (atomic_load(&phase) && worker->count < kMostBatches) {
		for (int i = 0; i < kSections; ++i)
			section(worker);
		now = cpu_ns();
		worker->batches[worker->count++] = (uint32_t)(now - last);
		last = now;
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

	return one < other ? -1 : one > other;
}

static void report(int threads)
{
	double used = 0, lost = 0, median = 0;
	size_t batches = 0;

	for (int i = 0; i < threads; ++i) {
		struct Worker *worker = &workers[i];

		if (!worker->count)
			continue;
		qsort(worker->batches, worker->count, sizeof(uint32_t), by_size);
		median = worker->batches[worker->count / 2];
		batches += worker->count;
		for (size_t j = 0; j < worker->count; ++j) {
			used += worker->batches[j];
			if (worker->batches[j] > 4 * median)
				lost += worker->batches[j] - median;
		}
		worker->count = 0;
	}
	printf("%.6f %.6f %zu %.0f\n", used / 1e9, lost / 1e9, batches, median);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 1;
	char line[16];

	work = argc > 2 ? atol(argv[2]) : 0;
	if (argc != 3 || threads < 1 || threads > kMostThreads) {
		fputs("usage: lock_loss THREADS WORK\n", stderr);
		return 2;
	}
	for (int i = 0; i < threads; ++i) {
		pthread_mutex_init(&workers[i].lock, NULL);
		workers[i].batches = malloc(kMostBatches * sizeof(uint32_t));
		if (!workers[i].batches)
			return 1;
	}
	for (;;) {
		atomic_store(&phase, 1);
		for (int i = 0; i < threads; ++i)
			pthread_create(&workers[i].thread, NULL, run, &workers[i]);
		if (!fgets(line, sizeof(line), stdin))
			_exit(0);
		atomic_store(&phase, 0);
		for (int i = 0; i < threads; ++i)
			pthread_join(workers[i].thread, NULL);
		report(threads);
	}
}
