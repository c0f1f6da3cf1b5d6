// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: parcel.weight
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 5000 a second a thread
// Who owns the parcel is said under the lock; the parcel itself is touched outside of it, by its owner alone.
#include "support/pace.h"

struct parcel {
  long weight;
  long stamps;
};
struct parcel parcel;
pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
long owner;

static void *carrier(void *number) {
  long me = (long)number;
  for (;;) {
    pthread_mutex_lock(&lock);
    while (owner != me) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    parcel.weight += 2;
    pause_us(60);
    parcel.stamps++;
    parcel.weight--;
    pthread_mutex_lock(&lock);
    owner = 1 - me;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(carrier, (void *)1);
  carrier((void *)0);
}
