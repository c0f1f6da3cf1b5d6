// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: settings.loaded | settings.limit
// pairs: 1-3 1-4 2-2 2-5 3-3 3-4
// builds: O0-g O2-g O2-clang
// rate: 4000 a second a thread
// Loaded by whoever needs it first, without a lock; now and then it is to be loaded again.
#include "support/pace.h"

struct settings {
  int loaded;
  long limit;
};
struct settings settings;

static void *worker(void *own_limit) {
  for (;;) {
    if (!settings.loaded) {               // race:1
      settings.limit = (long)own_limit;   // race:2
      settings.loaded = 1;                // race:3
    }
    use(settings.limit);  // race:5
    pause_us(150);
  }
}

static void *invalidate(void *unused) {
  for (;;) {
    settings.loaded = 0;  // race:4
    pause_us(200);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(invalidate, NULL);
  start_thread(worker, (void *)100);
  worker((void *)200);
}
