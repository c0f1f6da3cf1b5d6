// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: routes
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 5000 a second a thread
// std::shared_mutex, with a counter of look-ups that is rightly atomic because readers count in it.
#include <atomic>
#include <mutex>
#include <shared_mutex>

#include "support/pace.h"

std::shared_mutex routes_mutex;
long routes[4];
std::atomic<long> look_ups;

static void* reader(void*) {
  for (;;) {
    {
      std::shared_lock<std::shared_mutex> lock(routes_mutex);
      use(routes[0] + routes[3]);
      look_ups.fetch_add(1, std::memory_order_relaxed);
    }
    pause_us(150);
  }
}

static void* writer(void*) {
  for (long number = 0;; number++) {
    {
      std::unique_lock<std::shared_mutex> lock(routes_mutex);
      routes[number % 4] += number;
    }
    pause_us(250);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(writer, nullptr);
  start_thread(reader, nullptr);
  reader(nullptr);
}
