// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: prepared
// builds: O0-g O2-g O2-stripped
// rate: 2000 a second a thread
// pthread_once in every round: whoever comes first prepares, both read. Between two barriers one thread sets the once
// control back, while nobody uses it.
#include "support/pace.h"

pthread_once_t once = PTHREAD_ONCE_INIT;
pthread_barrier_t barrier;
long prepared;

static void prepare(void) { prepared++; }

static void *worker(void *number) {
  for (;;) {
    pause_us(100);
    pthread_once(&once, prepare);
    use(prepared);
    pthread_barrier_wait(&barrier);
    if (number == NULL) once = (pthread_once_t)PTHREAD_ONCE_INIT;
    pthread_barrier_wait(&barrier);
  }
}

int main(int argc, char **argv) {
  pthread_barrier_init(&barrier, NULL, 2);
  end_with_stdin(argc, argv);
  start_thread(worker, (void *)1);
  worker(NULL);
}
