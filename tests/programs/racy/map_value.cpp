// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: heap
// pairs: 1-1
// builds: O2-g O2-stripped
// rate: 4000 a second a thread
// The map's shape never changes, its values do, and nobody locks.
#include <map>

#include "support/pace.h"

std::map<int, long> sold;

static void* worker(void*) {
  for (;;) {
    sold.find(7)->second += 2;  // race:1
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  for (int item = 0; item < 16; item++) sold[item] = 0;
  start_thread(worker, nullptr);
  worker(nullptr);
}
