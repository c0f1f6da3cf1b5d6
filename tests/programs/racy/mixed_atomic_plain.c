// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: hits
// pairs: 1-2
// builds: O0-g O2-g O2-nopie O2-clang
// rate: 5000 a second a thread
// One side adds by an atomic instruction, the other takes off from the same plain int as if it were alone. (Had it only
// read, the instructions would be those of an atomic: docs/races.md, "What counts as atomic".)
#include "support/pace.h"

int hits;

static void *serve(void *unused) {
  for (;;) {
    __atomic_fetch_add(&hits, 1, __ATOMIC_RELAXED);  // race:1
    pause_us(120);
  }
}

static void *report(void *unused) {
  for (;;) {
    hits -= 2;  // race:2
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(serve, NULL);
  report(NULL);
}
