// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: last | next_ticket::last | next_ticket()::last
// pairs: 1-1
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a thread
// A static inside of a function is as shared as a global.
#include "support/pace.h"

__attribute__((noinline)) static void next_ticket(void) {
  static long last;
  last++;  // race:1
  use_memory(&last);
}

static void *clerk(void *unused) {
  for (;;) {
    next_ticket();
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(clerk, NULL);
  clerk(NULL);
}
