// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: sum
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 5000 a second a thread
// A lock of one word on the futex system call (Drepper, Futexes are tricky, the second mutex).
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "support/pace.h"

atomic_int word;  // 0 free, 1 taken, 2 taken and somebody waits
long sum;

static void take(void) {
  int seen = 0;
  if (atomic_compare_exchange_strong(&word, &seen, 1)) return;
  if (seen != 2) seen = atomic_exchange(&word, 2);
  while (seen != 0) {
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
    seen = atomic_exchange(&word, 2);
  }
}

static void give_back(void) {
  if (atomic_exchange(&word, 0) == 2) syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *worker(void *unused) {
  for (;;) {
    take();
    sum++;
    pause_us(20);
    sum++;
    give_back();
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, NULL);
  worker(NULL);
}
