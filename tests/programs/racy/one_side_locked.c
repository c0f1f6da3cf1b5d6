// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: total
// pairs: 1-2
// builds: O0-g O2-g O2-static O2-clang
// rate: 5000 a second a thread
// The writers lock; the one who reads for the statistics page thinks that he need not.
#include "support/pace.h"

long total;
pthread_mutex_t total_lock = PTHREAD_MUTEX_INITIALIZER;

static void *writer(void *unused) {
  for (;;) {
    pthread_mutex_lock(&total_lock);
    total += 3;  // race:1
    pthread_mutex_unlock(&total_lock);
    pause_us(200);
  }
}

static void *statistics(void *unused) {
  for (;;) {
    use(total);  // race:2
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(writer, NULL);
  start_thread(writer, NULL);
  statistics(NULL);
}
