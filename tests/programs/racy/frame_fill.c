// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: frame | frame[*]
// pairs: 1-2
// builds: O0-g O2-g O2-stripped O2-static
// rate: 4000 a second a thread
// A picture that one thread fills while another copies it, both by the C library's widest instructions.
#include <string.h>

#include "support/pace.h"

unsigned char frame[512];
unsigned volatile frame_bytes = sizeof(frame);  // volatile: so that the calls are calls

static void *camera(void *unused) {
  for (int shade = 0;; shade = (shade + 1) % 256) {
    memset(frame, shade, frame_bytes);  // race:1
    pause_us(150);
  }
}

static void *screen(void *unused) {
  unsigned char copy[sizeof(frame)];
  for (;;) {
    memcpy(copy, frame, frame_bytes);  // race:2
    use_memory(copy);
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(camera, NULL);
  screen(NULL);
}
