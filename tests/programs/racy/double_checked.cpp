// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: instance | storage.entries
// pairs: 1-2 3-4
// builds: O0-g O2-g O2-static O2-clang
// rate: 3000 a second a thread
// Double-checked locking done wrong: the first look at the pointer is neither locked nor atomic. A third party drops
// the instance now and then, so that it is made again.
#include <mutex>

#include "support/pace.h"

struct Catalog {
  long entries;
};
Catalog storage;
Catalog* instance;
std::mutex instance_mutex;

static long entries_of_catalog() {
  Catalog* seen = instance;  // race:1
  if (seen == nullptr) {
    std::lock_guard<std::mutex> lock(instance_mutex);
    if (instance == nullptr) {
      storage.entries = 12;  // race:3
      instance = &storage;   // race:2
    }
    seen = instance;
  }
  return seen == nullptr ? 0 : seen->entries;  // race:4
}

static void* drop_now_and_then(void*) {
  for (;;) {
    pause_us(200);
    std::lock_guard<std::mutex> lock(instance_mutex);
    instance = nullptr;  // race:2
  }
}

static void* reader(void*) {
  for (;;) {
    // The compiler may say so of the read at 4, which it puts in line here.
    use(entries_of_catalog());  // race:4
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(drop_now_and_then, nullptr);
  start_thread(reader, nullptr);
  reader(nullptr);
}
