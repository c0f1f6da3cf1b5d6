// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: box.value
// pairs: 1-2
// builds: O0-g O2-g O2-nopie
// rate: 3000 a second a thread
// The flag is guarded and signalled as it should be; the value is written and read outside of the lock, and the
// producer does not wait until it was taken.
#include "support/pace.h"

struct box {
  pthread_mutex_t lock;
  pthread_cond_t filled;
  int full;
  long value;
};
struct box box = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void *produce(void *unused) {
  for (long number = 1;; number++) {
    box.value = number;  // race:1
    pthread_mutex_lock(&box.lock);
    box.full = 1;
    pthread_cond_signal(&box.filled);
    pthread_mutex_unlock(&box.lock);
    pause_us(150);
  }
}

static void *consume(void *unused) {
  for (;;) {
    pthread_mutex_lock(&box.lock);
    while (!box.full) pthread_cond_wait(&box.filled, &box.lock);
    box.full = 0;
    pthread_mutex_unlock(&box.lock);
    pause_us(80);
    use(box.value);  // race:2
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(produce, NULL);
  consume(NULL);
}
