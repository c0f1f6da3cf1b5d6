// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: sum
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 5000 a second a thread
// A home-made spin lock that is right: taken by an exchange, given back by a store with release (a plain mov).
#include <atomic>

#include "support/pace.h"

class SpinLock {
 public:
  void lock() {
    while (taken_.exchange(1, std::memory_order_acquire) != 0) sched_yield();
  }
  void unlock() { taken_.store(0, std::memory_order_release); }

 private:
  std::atomic<int> taken_{0};
};

SpinLock spin_lock;
long sum;

static void* worker(void*) {
  for (;;) {
    spin_lock.lock();
    sum += 2;
    spin_lock.unlock();
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, nullptr);
  worker(nullptr);
}
