// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: position.x
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 4000 a second a thread
// A sequence lock as the standard wants it: what it guards is atomic, and a reader who was overtaken reads again.
#include <atomic>

#include "support/pace.h"

struct Position {
  std::atomic<unsigned> sequence{0};
  std::atomic<long> x{0};
  std::atomic<long> y{0};
};
Position position;

static void* mover(void*) {
  for (long step = 1;; step++) {
    unsigned sequence = position.sequence.load(std::memory_order_relaxed);
    position.sequence.store(sequence + 1, std::memory_order_relaxed);
    position.x.store(step, std::memory_order_release);
    position.y.store(-step, std::memory_order_release);
    position.sequence.store(sequence + 2, std::memory_order_release);
    pause_us(150);
  }
}

static void* viewer(void*) {
  for (;;) {
    unsigned before, after;
    long sum;
    do {
      before = position.sequence.load(std::memory_order_acquire);
      sum = position.x.load(std::memory_order_acquire) + position.y.load(std::memory_order_acquire);
      after = position.sequence.load(std::memory_order_relaxed);
    } while (before != after || before % 2 != 0);
    if (sum != 0) abort();
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(mover, nullptr);
  viewer(nullptr);
}
