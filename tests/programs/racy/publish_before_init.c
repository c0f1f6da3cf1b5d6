// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: message.body
// pairs: 1-2
// builds: O0-g O2-g O2-clang
// rate: 4000 a second a thread
// The message is announced, by an atomic and all, before it is written.
#include <stdatomic.h>

#include "support/pace.h"

struct message {
  long sender;
  long body;
};
struct message message;
_Atomic long announced;

static void *send(void *unused) {
  for (long number = 1;; number++) {
    atomic_store(&announced, number);
    message.body = number;  // race:1
    pause_us(150);
  }
}

static void *receive(void *unused) {
  for (;;) {
    if (atomic_load(&announced) != 0) use(message.body);  // race:2
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(send, NULL);
  receive(NULL);
}
