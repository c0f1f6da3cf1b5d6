// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: orders[0].amount
// builds: O0-g O2-g O2-stripped
// rate: 4000 a second a thread
// Pointers go through a pipe and come back through another: the kernel orders what the threads do.
#include "support/pace.h"

struct order {
  long amount;
  long paid;
};
struct order orders[2];
int to_bank[2], from_bank[2];

static void *bank(void *unused) {
  struct order *order;
  while (read(to_bank[0], &order, sizeof(order)) == sizeof(order)) {
    order->paid += order->amount;
    pause_us(60);
    order->amount = 0;
    if (write(from_bank[1], &order, sizeof(order)) != sizeof(order)) abort();
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (pipe(to_bank) != 0 || pipe(from_bank) != 0) abort();
  end_with_stdin(argc, argv);
  start_thread(bank, NULL);
  for (int number = 0; number < 2; number++) {
    struct order *order = &orders[number];
    if (write(to_bank[1], &order, sizeof(order)) != sizeof(order)) abort();
  }
  for (struct order *order; read(from_bank[0], &order, sizeof(order)) == sizeof(order);) {
    order->amount = order->paid % 100 + 1;
    pause_us(60);
    if (write(to_bank[1], &order, sizeof(order)) != sizeof(order)) abort();
  }
}
