// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: ring.slots
// builds: O0-g O2-g O2-stripped O2-nopie O2-clang
// rate: 5000 a second a thread
// A ring for one producer and one consumer without a lock: plain slots, and two positions with release and acquire.
#include <atomic>

#include "support/pace.h"

struct Ring {
  std::atomic<unsigned long> written{0};
  std::atomic<unsigned long> taken{0};
  long slots[4] = {};
};
Ring ring;

static void* producer(void*) {
  for (unsigned long number = 0;; number++) {
    while (number - ring.taken.load(std::memory_order_acquire) == 4) pause_us(50);
    ring.slots[number % 4] = static_cast<long>(number);
    ring.written.store(number + 1, std::memory_order_release);
    pause_us(100);
  }
}

static void* consumer(void*) {
  for (unsigned long number = 0;; number++) {
    while (ring.written.load(std::memory_order_acquire) == number) pause_us(50);
    use(ring.slots[number % 4]);
    ring.slots[number % 4] = -1;
    ring.taken.store(number + 1, std::memory_order_release);
    pause_us(100);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(producer, nullptr);
  consumer(nullptr);
}
