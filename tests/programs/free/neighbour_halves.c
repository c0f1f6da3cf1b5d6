// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: buffer
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a thread
// Two threads fill the two halves of one buffer by wide instructions; the border is in the middle of a word.
#include <string.h>

#include "support/pace.h"

enum { border = 60, size = 128 };
_Alignas(64) unsigned char buffer[size];

static void *lower(void *unused) {
  for (int fill = 0;; fill++) {
    memset(buffer, fill, border);
    use_memory(buffer);
    pause_us(150);
  }
}

static void *upper(void *unused) {
  unsigned char copy[size - border];
  for (int fill = 0;; fill++) {
    memset(copy, fill, sizeof(copy));
    use_memory(copy);
    memcpy(buffer + border, copy, sizeof(copy));
    use_memory(buffer);
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(lower, NULL);
  upper(NULL);
}
