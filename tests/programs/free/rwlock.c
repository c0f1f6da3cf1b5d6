// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: table.rows
// builds: O0-g O2-g O2-stripped O2-static
// rate: 5000 a second a thread
// Readers share the lock, the writer has it alone.
#include "support/pace.h"

struct table {
  pthread_rwlock_t lock;
  long rows;
};
struct table table = {PTHREAD_RWLOCK_INITIALIZER, 0};

static void *look_up(void *unused) {
  for (;;) {
    pthread_rwlock_rdlock(&table.lock);
    use(table.rows);
    pthread_rwlock_unlock(&table.lock);
    pause_us(150);
  }
}

static void *insert(void *unused) {
  for (;;) {
    pthread_rwlock_wrlock(&table.lock);
    table.rows++;
    pthread_rwlock_unlock(&table.lock);
    pause_us(300);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(insert, NULL);
  start_thread(look_up, NULL);
  look_up(NULL);
}
