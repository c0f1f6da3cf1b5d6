// SPDX-License-Identifier: Apache-2.0
// The first thread sets two words that belong together, the others read both. Wrong: reads that saw halves of two
// values.
#include "rounds.h"

static struct { volatile long low, high; } range;
static long torn, stop;

REAL void set_range(long value) {
  range.low = value;
  dawdle(5);
  range.high = value;
}

REAL int range_is_whole(void) {
  const long low = range.low;
  dawdle(2);
  return low == range.high;
}

static void work(long index, long rounds) {
  if (index == 0) {
    for (long i = 0; i < rounds; i++) {
      set_range(i);
      dawdle(10);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    return;
  }
  long seen = 0;
  while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) seen += !range_is_whole();
  __atomic_fetch_add(&torn, seen, __ATOMIC_RELAXED);
}

static long run(int threads, long rounds) {
  torn = stop = 0;
  run_threads(threads, rounds, work);
  return torn;
}

int main(void) { return serve(run); }
