// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: ready
// pairs: 1-4 2-3 2-4
// builds: O0-g O2-g O2-nopie O2-clang
// rate: 5000 a second a thread
// Two threads take turns by a plain flag. It alternates as meant on this CPU, and the compiler owes nobody that.
#include "support/pace.h"

int ready;

static void *consumer(void *unused) {
  for (;;) {
    while (!ready)  // race:1
      pause_us(100);
    ready = 0;  // race:2
    pause_us(100);
  }
}

static void *producer(void *unused) {
  for (;;) {
    while (ready)  // race:3
      pause_us(100);
    ready = 1;  // race:4
    pause_us(100);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(consumer, NULL);
  producer(NULL);
}
