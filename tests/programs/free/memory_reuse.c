// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: heap
// builds: O0-g O2-g O2-stripped O2-static
// rate: 4000 a second a thread
// Short-lived objects of two threads, freed and allocated again: one address, many objects, each of one thread alone.
// The arena is one for both, so that a block freed by one is soon the other's.
#include <malloc.h>
#include <string.h>

#include "support/pace.h"

struct request {
  long number;
  char text[2000];  // more than the per-thread caches keep
};

static void *worker(void *unused) {
  for (long number = 0;; number++) {
    struct request *request = malloc(sizeof(*request));
    request->number = number;
    memset(request->text, (int)number, sizeof(request->text));
    pause_us(120);
    request->number += request->text[5];
    use(request->number);
    free(request);
  }
}

int main(int argc, char **argv) {
  mallopt(M_ARENA_MAX, 1);
  end_with_stdin(argc, argv);
  start_thread(worker, NULL);
  start_thread(worker, NULL);
  worker(NULL);
}
