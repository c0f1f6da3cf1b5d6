// SPDX-License-Identifier: Apache-2.0
// Orders that take long, and update the account somewhere in between, without a lock. Wrong: updates that got lost.
#include <unistd.h>

#include "rounds.h"

struct account {
  long id;
  long balance;
  char pad[48];
};

static struct account accounts[MOST_THREADS];

// Some microseconds between the read and the write, without a call.
#define STALL()                        \
  do {                                 \
    for (int turn = 0; turn < 3000; turn++) __asm__ volatile(""); \
  } while (0)

REAL static void fetch(long us) { usleep((useconds_t)us); }

// 1: the update was made. Some orders are refused before it.
REAL long settle(struct account* account, long amount) {
  fetch(1);
  if (amount == 0) return 0;
  long balance = *(volatile long*)&account->balance;
  STALL();
  *(volatile long*)&account->balance = balance + amount;
  fetch(1);
  return 1;
}

// An update in each turn.
REAL long settle_many(struct account* account, long count) {
  long settled = 0;
  for (long i = 0; i < count; i++) {
    fetch(1);
    long balance = *(volatile long*)&account->balance;
    STALL();
    *(volatile long*)&account->balance = balance + 1;
    settled++;
  }
  return settled;
}

static long settled[MOST_THREADS][8];

static void mixed_orders(long index, long rounds) {
  long sum = 0;
  for (long i = 0; i < rounds; i++) {
    if (i % 8 == 7)
      sum += settle_many(&accounts[0], 4);
    else
      sum += settle(&accounts[0], i % 4 != 3);
  }
  settled[index][0] = sum;
}

static long run(int threads, long rounds) {
  long wanted = 0;
  accounts[0].balance = 0;
  run_threads(threads, rounds, mixed_orders);
  for (int i = 0; i < threads; i++) wanted += settled[i][0];
  return wanted - accounts[0].balance;
}

int main(void) { return serve(run); }
