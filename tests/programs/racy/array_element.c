// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: histogram[3]
// pairs: 1-1
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 5000 a second a thread
// Each thread counts in an element of its own, and both in the one at index 3.
#include "support/pace.h"

long histogram[8];

static void *worker(void *own) {
  for (;;) {
    ++*(long *)own;
    histogram[3]++;  // race:1
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, &histogram[1]);
  worker(&histogram[6]);
}
