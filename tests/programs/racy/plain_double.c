// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: celsius
// pairs: 1-2
// builds: O0-g O2-g
// rate: 5000 a second a thread
// Eight bytes that one thread writes and another reads. They tear on other machines than this.
#include "support/pace.h"

double celsius = 20.0;

static void *sensor(void *unused) {
  for (double wave = 0;; wave = wave > 1 ? 0 : wave + 0.01) {
    celsius = 20.0 + wave;  // race:1
    pause_us(150);
  }
}

static void *display(void *unused) {
  for (;;) {
    use((long)celsius);  // race:2
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(sensor, NULL);
  display(NULL);
}
