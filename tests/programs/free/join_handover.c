// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: result
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 2000 a second a thread
// Start and join order everything: main writes, the child goes on, main reads. The children's stacks lie where those of
// the children before them lay.
#include "support/pace.h"

long result;

static void *child(void *pointer) {
  long *on_parents_stack = pointer;
  long own = *on_parents_stack;
  for (int step = 0; step < 4; step++) {
    result += own;
    *on_parents_stack += step;
    pause_us(100);
  }
  return NULL;
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  for (long round = 0;; round++) {
    long argument = round;
    result = round;
    pthread_t thread = start_thread(child, &argument);
    pthread_join(thread, NULL);
    use(result + argument);
    pause_us(100);
  }
}
