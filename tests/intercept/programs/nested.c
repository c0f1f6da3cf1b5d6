// SPDX-License-Identifier: Apache-2.0
// Two threads move money between two accounts, each in the other direction and without a lock: sections of two objects,
// one inside the other, in opposite orders. Wrong: updates that got lost.
#include "rounds.h"

struct account {
  long balance;
  char pad[56];
};

static struct account accounts[2];

REAL void credit(struct account* account, long amount) {
  long balance = *(volatile long*)&account->balance;
  dawdle(5);
  *(volatile long*)&account->balance = balance + amount;
}

REAL void debit(struct account* from, struct account* to, long amount) {
  long balance = *(volatile long*)&from->balance;
  credit(to, amount);
  dawdle(5);
  *(volatile long*)&from->balance = balance - amount;
}

static void transfer(long index, long rounds) {
  for (long i = 0; i < rounds; i++) debit(&accounts[index % 2], &accounts[(index + 1) % 2], 1);
}

// What one thread takes from an account the other one puts there.
static long run(int threads, long rounds) {
  accounts[0].balance = accounts[1].balance = 0;
  run_threads(threads, rounds, transfer);
  return labs(accounts[0].balance) + labs(accounts[1].balance);
}

int main(void) { return serve(run); }
