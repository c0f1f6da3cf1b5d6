// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: heap | text.*
// pairs: 1-1
// builds: O0-g O2-g O2-stripped O2-static
// rate: 4000 a second a thread
// A std::string whose characters are on the heap, filled by two threads. It never grows, so nothing is freed.
#include <string>

#include "support/pace.h"

std::string text;

static void* writer(void* letter) {
  for (;;) {
    text.assign(200, *static_cast<const char*>(letter));  // race:1
    pause_us(200);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  text.reserve(256);
  start_thread(writer, const_cast<char*>("x"));
  writer(const_cast<char*>("y"));
}
