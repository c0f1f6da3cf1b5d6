// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: settings.factor
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a thread
// Written before the threads start, only read while they run, written again after they were joined. Their results lie
// in an array of one slot a thread, which main reads after the join.
#include "support/pace.h"

struct settings {
  long factor;
  long offset;
};
struct settings settings;
long results[2];

static void *worker(void *number) {
  long me = (long)number;
  for (int step = 0; step < 40; step++) {
    results[me] += settings.factor * step + settings.offset;
    pause_us(150);
  }
  return NULL;
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  for (long round = 0;; round++) {
    settings.factor = round;
    settings.offset = round % 7;
    pthread_t threads[2] = {start_thread(worker, (void *)0), start_thread(worker, (void *)1)};
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    use(results[0] + results[1]);
    results[0] = results[1] = 0;
    pause_us(100);
  }
}
