// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: cells[0]
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 3000 a second a thread
// In even phases each thread writes its own cell, in odd ones it reads the neighbour's; a barrier is between them.
#include "support/pace.h"

enum { threads = 3 };
pthread_barrier_t barrier;
long cells[threads];

static void *worker(void *number) {
  long me = (long)number;
  for (long phase = 0;; phase++) {
    cells[me] = phase;
    pause_us(100);
    pthread_barrier_wait(&barrier);
    use(cells[(me + 1) % threads]);
    pthread_barrier_wait(&barrier);
  }
}

int main(int argc, char **argv) {
  pthread_barrier_init(&barrier, NULL, threads);
  end_with_stdin(argc, argv);
  start_thread(worker, (void *)1);
  start_thread(worker, (void *)2);
  worker((void *)0);
}
