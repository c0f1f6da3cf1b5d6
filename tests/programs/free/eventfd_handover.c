// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: sample
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 4000 a second a thread
// Two event descriptors say whose turn it is.
#include <stdint.h>
#include <sys/eventfd.h>

#include "support/pace.h"

int filled, taken;
long sample;

static void wait_for(int descriptor) {
  uint64_t count;
  if (read(descriptor, &count, sizeof(count)) != sizeof(count)) abort();
}

static void signal_to(int descriptor) {
  uint64_t one = 1;
  if (write(descriptor, &one, sizeof(one)) != sizeof(one)) abort();
}

static void *consumer(void *unused) {
  for (;;) {
    wait_for(filled);
    sample -= 3;
    pause_us(60);
    use(sample);
    signal_to(taken);
  }
}

int main(int argc, char **argv) {
  filled = eventfd(0, 0);
  taken = eventfd(1, 0);
  end_with_stdin(argc, argv);
  start_thread(consumer, NULL);
  for (;;) {
    wait_for(taken);
    sample += 4;
    pause_us(60);
    signal_to(filled);
  }
}
