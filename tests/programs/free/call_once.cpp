// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: table
// builds: O0-g O2-g O2-stripped
// rate: 4000 a second a thread
// Thousands of entries, each set up by std::call_once by whoever comes first and read without a lock by all after that;
// and a static of a function, which the compiler guards.
#include <mutex>

#include "support/pace.h"

constexpr long kEntries = 100000;
std::once_flag table_ready[kEntries];
long table[kEntries];

static long scale() {
  static const long value = getpid();
  return value;
}

static void* worker(void*) {
  for (long entry = 0;; entry = (entry + 1) % kEntries) {
    std::call_once(table_ready[entry], [entry] { table[entry] = entry * scale(); });
    use(table[entry]);
    use(table[0]);
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, nullptr);
  worker(nullptr);
}
