// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: title | title.*
// pairs: 1-1 1-2
// builds: O0-g O2-g O2-clang
// rate: 3000 a second a thread
// A global std::string without a lock. The texts are short enough to stay inside of the object, so nothing is freed.
#include <string>

#include "support/pace.h"

std::string title("nothing yet");

static void* writer(void* text) {
  for (;;) {
    title.assign(static_cast<const char*>(text));  // race:1
    pause_us(200);
  }
}

static void* reader(void*) {
  for (;;) {
    use(static_cast<long>(title.size()));  // race:2
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(writer, const_cast<char*>("the blue one"));
  start_thread(writer, const_cast<char*>("a green one"));
  reader(nullptr);
}
