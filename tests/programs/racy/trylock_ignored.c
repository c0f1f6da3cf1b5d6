// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: ledger.entries
// pairs: 1-1
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 4000 a second a thread
// Tries to take the lock and goes on in either case.
#include "support/pace.h"

struct ledger {
  pthread_mutex_t lock;
  long entries;
};
struct ledger ledger = {PTHREAD_MUTEX_INITIALIZER, 0};

static void *worker(void *unused) {
  for (;;) {
    int refused = pthread_mutex_trylock(&ledger.lock);
    ledger.entries++;  // race:1
    if (!refused) {
      pause_us(30);
      pthread_mutex_unlock(&ledger.lock);
    }
    pause_us(120);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, NULL);
  worker(NULL);
}
