// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: table.lookups
// pairs: 1-1
// builds: O0-g O2-g O2-stripped O2-static
// rate: 5000 a second a thread
// Who only holds the lock for reading must not count his lookups in what it guards.
#include "support/pace.h"

struct table {
  pthread_rwlock_t lock;
  long rows;
  long lookups;
};
struct table table = {PTHREAD_RWLOCK_INITIALIZER, 0, 0};

static void *look_up(void *unused) {
  for (;;) {
    pthread_rwlock_rdlock(&table.lock);
    use(table.rows);
    table.lookups++;  // race:1
    pthread_rwlock_unlock(&table.lock);
    pause_us(150);
  }
}

static void *insert(void *unused) {
  for (;;) {
    pthread_rwlock_wrlock(&table.lock);
    table.rows++;
    pthread_rwlock_unlock(&table.lock);
    pause_us(1000);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(insert, NULL);
  start_thread(look_up, NULL);
  look_up(NULL);
}
