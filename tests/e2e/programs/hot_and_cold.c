/* SPDX-License-Identifier: Apache-2.0 */
/* A function that is called all the time, one that is called a hundred times a second, and one in between, whose entry
 * probe is cheap (it begins with a push). `tell FILE`: how often the
 * hot one was called, as a line for each 50 ms, to see what probes do to it. Runs until SIGTERM, three minutes at most.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sum;

__attribute__((noinline)) int hot(int value) {
  for (int i = 0; i < 1500; ++i) /* some microsecond of work */
    sum += (unsigned long)value;
  return value < 0 ? -1 : 0;
}

__attribute__((noinline)) int cold(int value) {
  sum += (unsigned long)value;
  return value < 0 ? -1 : 0;
}

__attribute__((noinline)) int warm(int value) {
  __asm__ volatile("" : : : "rbx"); /* which it has to save */
  sum += (unsigned long)value;
  return value < 0 ? -1 : 0;
}

static long now_us(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int main(int argc, char** argv) {
  FILE* told = argc > 2 && !strcmp(argv[1], "tell") ? fopen(argv[2], "w") : NULL;
  long cold_us = 0, told_us = now_us();
  unsigned long calls = 0;

  alarm(180);
  for (;;) {
    for (int i = 0; i < 50; ++i, ++calls) hot(i);
    warm(1);
    long us = now_us();

    if (us - cold_us >= 10000) {
      cold_us = us;
      cold(1);
    }
    if (told && us - told_us >= 50000) {
      fprintf(told, "%ld %lu\n", us, calls);
      fflush(told);
      told_us = us;
      calls = 0;
    }
  }
}
