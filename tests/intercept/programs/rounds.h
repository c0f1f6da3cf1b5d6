// SPDX-License-Identifier: Apache-2.0
// What the programs here share: they do a piece of work each time that a line "THREADS ROUNDS" comes in, and print what
// went wrong in it, so that one process is counted before, during and after an interception.
#ifndef RACEGUARD_TESTS_INTERCEPT_ROUNDS_H
#define RACEGUARD_TESTS_INTERCEPT_ROUNDS_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MOST_THREADS 64
// A function of its own in the binary, as what others call from elsewhere is.
#define REAL __attribute__((noinline, noclone, noipa))

static pthread_barrier_t begin_barrier;

// Widens the race a little: a turn is some 10 ns. Not by `pause`: a virtual machine's host takes the CPU away for that.
// A call, so that its callers begin with a push, which the kernel emulates: as most functions do.
REAL __attribute__((unused)) static void dawdle(int turns) {
  for (int i = 0; i < turns * 32; i++) __asm__ volatile("");
}

// So that all come to the same place at the same time, where there are CPUs for them.
static inline void meet(long* arrived, long wanted) {
  __atomic_fetch_add(arrived, 1, __ATOMIC_ACQ_REL);
  for (int turns = 0; __atomic_load_n(arrived, __ATOMIC_ACQUIRE) < wanted; turns++) {
    if (turns > 2000) sched_yield();
  }
}

struct worker {
  void (*body)(long index, long rounds);
  long index, rounds;
};

static void* run_worker(void* argument) {
  struct worker* worker = (struct worker*)argument;
  pthread_barrier_wait(&begin_barrier);
  worker->body(worker->index, worker->rounds);
  return NULL;
}

static inline void run_threads(int threads, long rounds, void (*body)(long index, long rounds)) {
  pthread_t ids[MOST_THREADS];
  struct worker workers[MOST_THREADS];
  pthread_barrier_init(&begin_barrier, NULL, (unsigned)threads);
  for (int i = 0; i < threads; i++) {
    workers[i] = (struct worker){body, i, rounds};
    if (pthread_create(&ids[i], NULL, run_worker, &workers[i]) != 0) abort();
  }
  for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
  pthread_barrier_destroy(&begin_barrier);
}

// Each answer is "wrong COUNT of ATTEMPTS in SECONDS".
static inline int serve(long (*round)(int threads, long rounds)) {
  char line[64];
  int threads;
  long rounds;
  printf("ready\n");
  fflush(stdout);
  while (fgets(line, sizeof(line), stdin) != NULL && sscanf(line, "%d %ld", &threads, &rounds) == 2) {
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const long wrong = round(threads < MOST_THREADS ? threads : MOST_THREADS, rounds);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("wrong %ld of %ld in %.6f\n", wrong, threads * rounds,
           (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
    fflush(stdout);
  }
  return 0;
}

#endif
