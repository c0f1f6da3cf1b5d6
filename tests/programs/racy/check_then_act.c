// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: current
// pairs: 1-2 1-3 2-2 2-3 3-3
// builds: O0-g O2-g O2-nopie
// rate: 4000 a second a thread
// Looks whether there is a current item and acts on what it saw, while another thread does the same.
#include "support/pace.h"

struct item {
  long price;
};
struct item stock[2];
struct item *current;

static void *worker(void *own) {
  for (;;) {
    if (current == NULL)      // race:1
      current = own;          // race:2
    else
      current = NULL;         // race:3
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, &stock[0]);
  worker(&stock[1]);
}
