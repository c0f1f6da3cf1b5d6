// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: account.balance
// pairs: 1-2
// builds: O0-g O2-g O2-nopie
// rate: 5000 a second a thread
// Written under one lock and read under another: both sides lock, and nothing is ordered.
#include "support/pace.h"

struct account {
  long number;
  long balance;
};
struct account account;
pthread_mutex_t bookings = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t reports = PTHREAD_MUTEX_INITIALIZER;

static void *book(void *unused) {
  for (;;) {
    pthread_mutex_lock(&bookings);
    account.balance += 5;  // race:1
    pthread_mutex_unlock(&bookings);
    pause_us(150);
  }
}

static void *report(void *unused) {
  for (;;) {
    pthread_mutex_lock(&reports);
    use(account.balance);  // race:2
    pthread_mutex_unlock(&reports);
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(book, NULL);
  report(NULL);
}
