// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: payload
// builds: O0-g O2-g O2-stripped O2-nopie O2-static
// rate: 5000 a second a thread
// A plain payload that an atomic flag hands to and fro: release on one side, acquire on the other, no lock anywhere.
#include <atomic>

#include "support/pace.h"

std::atomic<bool> ready{false};
long payload;

static void* consumer(void*) {
  for (;;) {
    while (!ready.load(std::memory_order_acquire)) pause_us(60);
    payload -= 1;
    ready.store(false, std::memory_order_release);
    pause_us(60);
  }
}

static void* producer(void*) {
  for (;;) {
    while (ready.load(std::memory_order_acquire)) pause_us(60);
    payload += 3;
    ready.store(true, std::memory_order_release);
    pause_us(60);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(consumer, nullptr);
  producer(nullptr);
}
