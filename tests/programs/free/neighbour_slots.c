// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: slots
// builds: O0-g O2-g O2-stripped O2-static O2-clang
// rate: 5000 a second a thread
// Each thread has a slot of its own: bytes, shorts and ints beside each other in one word of eight bytes. They share a
// cache line and the range of a watchpoint, and nothing else.
#include "support/pace.h"

_Alignas(8) unsigned char slots[8];
_Alignas(8) int halves[2];
_Alignas(8) short quarters[4];

static void *worker(void *number) {
  long me = (long)number;
  for (;;) {
    slots[me]++;
    slots[me + 4] = (unsigned char)me;
    halves[me]++;
    quarters[me]++;
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, (void *)1);
  worker((void *)0);
}
