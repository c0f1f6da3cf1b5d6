// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: heap
// pairs: 1-2
// builds: O2-g O2-stripped O2-static
// rate: 5000 a second a thread
// A member of an object that two threads got by pointer.
#include "support/pace.h"

struct session {
  char user[24];
  long requests;
};

static void *answer(void *pointer) {
  struct session *session = pointer;
  for (;;) {
    session->requests++;  // race:1
    pause_us(150);
  }
}

static void *expire(void *pointer) {
  struct session *session = pointer;
  for (;;) {
    session->requests -= 2;  // race:2
    pause_us(200);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  struct session *session = calloc(1, sizeof(*session));
  start_thread(answer, session);
  expire(session);
}
