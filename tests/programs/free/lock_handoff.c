// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: ledger
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 3000 a second a thread
// A semaphore as a lock that one thread takes and another gives back: the first hands the work over through a pipe
// while it is held, and a third competes for it.
#include <semaphore.h>

#include "support/pace.h"

sem_t ledger_lock;
long ledger;
int handover[2];

static void *first_half(void *unused) {
  for (char token = 1;;) {
    sem_wait(&ledger_lock);
    ledger += 1;
    if (write(handover[1], &token, 1) != 1) abort();
    pause_us(150);
  }
}

static void *second_half(void *unused) {
  char token;
  while (read(handover[0], &token, 1) == 1) {
    ledger += 2;
    pause_us(30);
    ledger += 3;
    sem_post(&ledger_lock);
  }
  return NULL;
}

static void *rival(void *unused) {
  for (;;) {
    sem_wait(&ledger_lock);
    ledger -= 6;
    sem_post(&ledger_lock);
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  if (pipe(handover) != 0) abort();
  sem_init(&ledger_lock, 0, 1);
  end_with_stdin(argc, argv);
  start_thread(first_half, NULL);
  start_thread(second_half, NULL);
  rival(NULL);
}
