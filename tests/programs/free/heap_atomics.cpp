// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: heap
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 5000 a second a thread
// Atomics in an object on the heap: plain movs to memory that no symbol and no type describes.
#include <atomic>
#include <memory>

#include "support/pace.h"

struct Gauge {
  std::atomic<long> level{0};
  std::atomic<bool> alarm{false};
  char name[16] = "boiler";
};

static void* sensor(void* pointer) {
  auto* gauge = static_cast<Gauge*>(pointer);
  for (long level = 0;; level = (level + 7) % 100) {
    gauge->level.store(level, std::memory_order_relaxed);
    gauge->alarm.store(level > 90, std::memory_order_release);
    pause_us(150);
  }
}

static void* display(void* pointer) {
  auto* gauge = static_cast<Gauge*>(pointer);
  for (;;) {
    use(gauge->level.load(std::memory_order_relaxed));
    use(gauge->alarm.load(std::memory_order_acquire) ? gauge->name[0] : 0);
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  auto gauge = std::make_unique<Gauge>();
  start_thread(sensor, gauge.get());
  display(gauge.get());
}
