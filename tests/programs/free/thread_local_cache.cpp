// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: all_hits
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a thread
// Each thread counts in its own cache and books it under the lock now and then: the same name, another address.
#include <mutex>

#include "support/pace.h"

thread_local long own_hits;
thread_local long own_table[16];
long all_hits;
std::mutex all_mutex;

static void* worker(void*) {
  for (long round = 0;; round++) {
    own_hits++;
    own_table[round % 16] += own_hits;
    if (round % 4 == 0) {
      std::lock_guard<std::mutex> lock(all_mutex);
      all_hits += own_hits;
      own_hits = 0;
    }
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, nullptr);
  start_thread(worker, nullptr);
  worker(nullptr);
}
