// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: image.references
// pairs: 1-1 1-2 2-2
// builds: O0-g O2-g O2-stripped O2-nopie
// rate: 6000 a second a thread
// A reference count that is not atomic.
#include "support/pace.h"

struct image {
  int width, height;
  long references;
};
struct image image = {640, 480, 1};

static void *user(void *unused) {
  for (;;) {
    image.references++;  // race:1
    pause_us(120);
    image.references--;  // race:2
    pause_us(120);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(user, NULL);
  user(NULL);
}
