// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: sum
// builds: O0-g O2-g O2-stripped O2-static
// rate: 5000 a second a thread
// A ticket lock: one atomic hands out numbers, the other says whose turn it is, and only its owner moves that on.
#include <atomic>

#include "support/pace.h"

class TicketLock {
 public:
  void lock() {
    unsigned mine = next_.fetch_add(1, std::memory_order_relaxed);
    while (serving_.load(std::memory_order_acquire) != mine) sched_yield();
  }
  void unlock() { serving_.store(serving_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  std::atomic<unsigned> next_{0};
  std::atomic<unsigned> serving_{0};
};

TicketLock ticket_lock;
long sum;

static void* worker(void*) {
  for (;;) {
    ticket_lock.lock();
    sum -= 1;
    sum += 3;
    ticket_lock.unlock();
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, nullptr);
  worker(nullptr);
}
