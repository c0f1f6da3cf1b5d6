// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: locked | sum
// pairs: 1-2 1-3 2-2 2-3 3-3 4-4
// builds: O0-g O2-g O2-clang
// rate: 4000 a second a thread
// A home-made lock on a plain int: the look and the taking are two steps.
#include "support/pace.h"

int locked;
long sum;

static void take(void) {
  while (locked)  // race:1
    pause_us(50);
  locked = 1;  // race:2
}

static void *worker(void *unused) {
  for (;;) {
    take();
    sum += 1;  // race:4
    use_memory(&sum);
    locked = 0;  // race:3
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, NULL);
  worker(NULL);
}
