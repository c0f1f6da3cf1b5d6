// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: counter
// pairs: 1-1
// builds: O0-g O2-g O2-stripped O2-static O2-nopie O2-clang
// rate: 5000 a second a thread
// The textbook's race: i++ by two threads.
#include "support/pace.h"

long counter;

static void *worker(void *unused) {
  for (;;) {
    counter++;  // race:1
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, NULL);
  worker(NULL);
}
