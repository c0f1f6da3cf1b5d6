// SPDX-License-Identifier: Apache-2.0
// paced_counter SECONDS RATE [work]: two threads count up one plain variable, each RATE times a second, until standard
// input closes or the time is over. Each second it prints how often both together did.
//
// Up to 5,000 a second a thread sleeps between two accesses. Above that, where sleeps are too coarse, it is awake for
// half of each 200 us and spreads its accesses evenly over that half. With `work` it never sleeps: between two accesses
// it computes for 1/RATE s as it was calibrated at the start, so that whatever delays it shows in the count.
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { sleep_alone_below = 5000, period_ns = 200000 };

long counter;  // the one that races

static long rate;
static unsigned long steps_an_access;  // of `work`; 0: paced by the clock
static struct {
  _Alignas(64) _Atomic unsigned long accesses;
} done[2];

static long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void compute(unsigned long steps) {
  for (unsigned long value = steps; value > 0; value--) __asm__ volatile("" : "+r"(value));
}

static void sleep_ns(long ns) {
  struct timespec wait = {ns / 1000000000L, ns % 1000000000L};
  nanosleep(&wait, NULL);
}

static void count_up(void *number) {
  counter++;
  atomic_fetch_add_explicit(&done[(long)number].accesses, 1, memory_order_relaxed);
}

static void *by_work(void *number) {
  for (;;) {
    count_up(number);
    compute(steps_an_access);
  }
}

// Due times lie on a grid with a random offset in each cell, so that the threads do not fall into step.
static void *by_sleeping(void *number) {
  const long cell = 1000000000L / rate;
  unsigned seed = (unsigned)(long)number + 1;
  for (long start = now_ns();; start += cell) {
    long wait = start + rand_r(&seed) % cell - now_ns();
    if (wait > 0) sleep_ns(wait);
    count_up(number);
  }
}

static void *by_bursts(void *number) {
  const long in_burst = rate / (1000000000L / period_ns);
  for (long start = now_ns();; start += period_ns) {
    long wait = start - now_ns();
    if (wait > 0) sleep_ns(wait);
    long begin = now_ns();
    for (long access = 0; access < in_burst; access++) {
      while (now_ns() - begin < access * (period_ns / 2) / in_burst) __builtin_ia32_pause();
      count_up(number);
    }
    if (now_ns() - start > 10 * period_ns) start = now_ns();  // late: it does not catch up
  }
}

static void calibrate(void) {
  const unsigned long steps = 20000000;
  long fastest = 0;
  for (int round = 0; round < 5; round++) {
    long begin = now_ns();
    compute(steps);
    long took = now_ns() - begin;
    if (fastest == 0 || took < fastest) fastest = took;
  }
  steps_an_access = (unsigned long)((double)steps / (double)fastest * (1e9 / (double)rate));
}

int main(int argc, char **argv) {
  if (argc < 3 || (rate = atol(argv[2])) < 1) {
    fprintf(stderr, "usage: paced_counter SECONDS RATE [work]\n");
    return 2;
  }
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  if (argc > 3 && strcmp(argv[3], "work") == 0) calibrate();
  void *(*body)(void *) = steps_an_access ? by_work : rate <= sleep_alone_below ? by_sleeping : by_bursts;
  for (long number = 0; number < 2; number++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, (void *)number) != 0) return 1;
  }
  struct pollfd input = {0, POLLIN, 0};
  for (long second = 0; second < atol(argv[1]); second++) {
    long begin = now_ns();
    unsigned long before = done[0].accesses + done[1].accesses;
    if (poll(&input, 1, 1000) != 0) break;
    unsigned long after = done[0].accesses + done[1].accesses;
    printf("%.0f\n", (double)(after - before) / ((double)(now_ns() - begin) / 1e9));
    fflush(stdout);
  }
  _exit(0);
}
