// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: counter
// builds: O0-g O2-g O2-stripped O2-static
// rate: 5000 a second a thread
// The plain case: every access under one mutex.
#include "support/pace.h"

long counter;
pthread_mutex_t counter_lock = PTHREAD_MUTEX_INITIALIZER;

static void *worker(void *unused) {
  for (;;) {
    pthread_mutex_lock(&counter_lock);
    counter++;
    pthread_mutex_unlock(&counter_lock);
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, NULL);
  worker(NULL);
}
