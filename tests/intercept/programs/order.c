// SPDX-License-Identifier: Apache-2.0
// The second thread takes for granted that the first one has prepared each item, and nothing makes it so. Wrong: items
// that were used before they were prepared. To keep the two functions apart cannot help: they need not overlap to go
// wrong.
#include <string.h>

#include "rounds.h"

static volatile long items[1 << 16];
static long too_early;

REAL void prepare(long which) { items[which] = 1; }

REAL int is_prepared(long which) { return items[which] == 1; }

static void work(long index, long rounds) {
  for (long i = 0; i < rounds; i++) {
    const long which = i & 0xffff;
    if (index == 0) {
      dawdle(20);
      prepare(which);
    } else if (!is_prepared(which)) {
      too_early++;
    }
  }
}

static long run(int threads, long rounds) {
  (void)threads;
  memset((void*)items, 0, sizeof(items));
  too_early = 0;
  run_threads(2, rounds, work);
  return too_early;
}

int main(void) { return serve(run); }
