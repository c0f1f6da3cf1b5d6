// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: sum
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 5000 a second a thread
// POSIX's own spin lock, which is one int to the debug information.
#include "support/pace.h"

pthread_spinlock_t sum_lock;
long sum;

static void *worker(void *unused) {
  for (;;) {
    pthread_spin_lock(&sum_lock);
    sum += 5;
    pthread_spin_unlock(&sum_lock);
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  pthread_spin_init(&sum_lock, PTHREAD_PROCESS_PRIVATE);
  end_with_stdin(argc, argv);
  start_thread(worker, NULL);
  worker(NULL);
}
