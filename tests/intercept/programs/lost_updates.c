// SPDX-License-Identifier: Apache-2.0
// Two threads add to one counter without a lock; with an object each, nothing is shared. Wrong: updates that got lost.
#include "rounds.h"

struct account {
  long id;
  long balance;
  char pad[48];
};

static struct account accounts[MOST_THREADS];

REAL void deposit(struct account* account, long amount) {
  long balance = *(volatile long*)&account->balance;
  dawdle(5);
  *(volatile long*)&account->balance = balance + amount;
}

// Calls the other one: the same thread comes in again.
REAL void deposit_twice(struct account* account) {
  deposit(account, 1);
  deposit(account, 1);
}

static void one_account(long index, long rounds) {
  (void)index;
  for (long i = 0; i < rounds; i++) deposit(&accounts[0], 1);
}

static long run(int threads, long rounds) {
  accounts[0].balance = 0;
  run_threads(threads, rounds, one_account);
  return threads * rounds - accounts[0].balance;
}

int main(void) {
  for (int i = 0; i < MOST_THREADS; i++) accounts[i].id = i;
  deposit_twice(&accounts[1]);
  return serve(run);
}
