// SPDX-License-Identifier: Apache-2.0
// What every program here needs: an end, threads, and waits between accesses. Nothing in here synchronises the
// program's threads with each other, so that only its own text says what is ordered.
#ifndef RACEGUARD_TESTS_PROGRAMS_PACE_H
#define RACEGUARD_TESTS_PROGRAMS_PACE_H

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

// Set before the first thread starts. With RG_ROUNDS=N in the environment nothing waits, and the thread that comes
// first to its Nth pause ends the program and says what that took: a fixed piece of work, for comparing costs.
static unsigned long rounds_wanted;
static struct timespec rounds_begin;
static __thread unsigned long rounds_done;

static inline void end_after_rounds(void) {
  struct timespec end;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  dprintf(2, "rounds took %ld ns of CPU time\n",
          (end.tv_sec - rounds_begin.tv_sec) * 1000000000L + end.tv_nsec - rounds_begin.tv_nsec);
  _exit(0);
}

static inline void* wait_for_the_end(void* limit_ms) {
  struct pollfd standard_input = {0, POLLIN, 0};
  char ignored[64];
  while (poll(&standard_input, 1, (int)(long)limit_ms) == 1 && read(0, ignored, sizeof(ignored)) > 0) {
  }
  _exit(0);
}

static inline pthread_t start_thread(void* (*body)(void*), void* argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, argument) != 0) abort();
  return thread;
}

// The program ends when its standard input closes, and after argv[1] seconds (60) at the latest.
static inline void end_with_stdin(int argc, char** argv) {
  const char* rounds = getenv("RG_ROUNDS");
  long seconds = argc > 1 ? atol(argv[1]) : 60;
  if (rounds != NULL) rounds_wanted = strtoul(rounds, NULL, 10);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &rounds_begin);
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // threads inherit it: waits of some microseconds are meant
  pthread_detach(start_thread(wait_for_the_end, (void*)(seconds * 1000)));
}

// Waits between half of it and one and a half of it, so that two threads do not fall into step. A call, so that what is
// before and behind it in a program stays two accesses.
__attribute__((noinline, unused)) static void pause_us(unsigned mean) {
  if (rounds_wanted != 0) {
    if (++rounds_done >= rounds_wanted) end_after_rounds();
    if (rounds_done % 16 == 0) sched_yield();
    return;
  }
  unsigned us = mean / 2 + (unsigned)(__builtin_ia32_rdtsc() >> 4) % (mean + 1);
  struct timespec wait = {0, (long)us * 1000};
  nanosleep(&wait, NULL);
}

// The value is needed: no compiler drops the read that gave it.
static inline void use(long value) { __asm__ volatile("" : : "r"(value)); }
static inline void use_memory(const void* memory) { __asm__ volatile("" : : "r"(memory) : "memory"); }

#endif
