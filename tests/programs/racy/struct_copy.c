// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: config | config.*
// pairs: 1-2
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 5000 a second a thread
// A struct of 64 bytes, replaced as a whole by one thread while another copies it.
#include <string.h>

#include "support/pace.h"

struct config {
  long limit, burst, window, retries, low, high, timeout, version;
};
struct config config;

static void *reload(void *unused) {
  struct config next = {1, 2, 3, 4, 5, 6, 7, 8};
  for (;;) {
    next.version++;
    use_memory(&next);
    memcpy(&config, &next, sizeof(config));  // race:1
    pause_us(150);
  }
}

static void *serve(void *unused) {
  struct config copy;
  for (;;) {
    memcpy(&copy, &config, sizeof(copy));  // race:2
    use_memory(&copy);
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(reload, NULL);
  serve(NULL);
}
