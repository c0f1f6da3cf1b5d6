// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: sum
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 4000 a second a thread
// Peterson's lock for two threads: no read-modify-write anywhere, only atomic loads and stores.
#include <atomic>

#include "support/pace.h"

std::atomic<bool> wants[2];
std::atomic<int> gives_way{0};
long sum;

static void* worker(void* number) {
  int me = static_cast<int>(reinterpret_cast<long>(number));
  for (;;) {
    wants[me].store(true);
    gives_way.store(me);
    while (wants[1 - me].load() && gives_way.load() == me) sched_yield();
    sum += me + 1;
    wants[me].store(false);
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, reinterpret_cast<void*>(1));
  worker(reinterpret_cast<void*>(0));
}
