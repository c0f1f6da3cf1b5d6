// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: state | state.*
// pairs: 1-2
// builds: O0-g O2-g O2-nopie
// rate: 5000 a second a thread
// Neighbouring bit-fields are one memory location to the standard: each write carries the other's old value along.
#include "support/pace.h"

struct state {
  unsigned dirty : 1;
  unsigned open : 1;
};
struct state state;

static void *writer(void *unused) {
  for (;;) {
    state.dirty ^= 1;  // race:1
    pause_us(150);
  }
}

static void *opener(void *unused) {
  for (;;) {
    state.open ^= 1;  // race:2
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(writer, NULL);
  opener(NULL);
}
