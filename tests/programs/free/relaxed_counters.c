// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: requests
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 5000 a second a thread
// Statistics in atomics, read relaxed: a plain mov of a type that says atomic.
#include <stdatomic.h>

#include "support/pace.h"

_Atomic long requests;
_Atomic int in_flight;

static void *serve(void *unused) {
  for (;;) {
    atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&in_flight, 1, memory_order_relaxed);
    pause_us(120);
    atomic_fetch_sub_explicit(&in_flight, 1, memory_order_relaxed);
  }
}

static void *statistics(void *unused) {
  for (;;) {
    use(atomic_load_explicit(&requests, memory_order_relaxed));
    use(atomic_load_explicit(&in_flight, memory_order_relaxed));
    pause_us(120);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(serve, NULL);
  start_thread(serve, NULL);
  statistics(NULL);
}
