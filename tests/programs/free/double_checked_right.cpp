// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: storage.entries
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 4000 a second a thread
// Double-checked locking done right, for each of a hundred thousand pages: the pointer is atomic, and what it points to
// is written once, before the pointer is.
#include <atomic>
#include <mutex>

#include "support/pace.h"

struct Page {
  long entries;
};
constexpr long kPages = 100000;
Page storage[kPages];
std::atomic<Page*> pages[kPages];
std::mutex pages_mutex;

static Page* page(long number) {
  Page* seen = pages[number].load(std::memory_order_acquire);
  if (seen != nullptr) return seen;
  std::lock_guard<std::mutex> lock(pages_mutex);
  seen = pages[number].load(std::memory_order_relaxed);
  if (seen == nullptr) {
    seen = &storage[number];
    seen->entries = number;
    pages[number].store(seen, std::memory_order_release);
  }
  return seen;
}

static void* reader(void*) {
  for (long number = 0;; number = (number + 1) % kPages) {
    use(page(number)->entries);
    use(page(0)->entries);
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(reader, nullptr);
  reader(nullptr);
}
