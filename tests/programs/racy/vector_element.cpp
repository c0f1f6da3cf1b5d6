// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: heap
// pairs: 1-1
// builds: O2-g O2-stripped O2-nopie O2-clang
// rate: 5000 a second a thread
// An element of a std::vector, counted up by two threads. (-O0 adds in a register: without types a plain load and a
// plain store cannot be told from those of an atomic, so that build proves nothing.)
#include <vector>

#include "support/pace.h"

std::vector<long> counts(8);

static void* worker(void*) {
  for (;;) {
    counts[3] += 1;  // race:1
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(worker, nullptr);
  worker(nullptr);
}
