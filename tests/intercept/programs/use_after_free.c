// SPDX-License-Identifier: Apache-2.0
// The first thread replaces a configuration and frees the old one, the others use what they find. Wrong: uses of one
// that was freed meanwhile (it says so itself before it goes).
#include <string.h>

#include "rounds.h"

struct config {
  volatile long alive;
  long limit;
};

static struct config* volatile current;
static struct config* graveyard[2]; /* what is freed stays readable for a while, so that a use is counted, no crash */
static long dead_uses, stop;

static struct config* make_config(long limit) {
  struct config* config = malloc(sizeof(*config));
  config->alive = 1;
  config->limit = limit;
  return config;
}

REAL void replace_config(long limit) {
  struct config* old = current;
  current = make_config(limit);
  old->alive = 0;
  free(graveyard[1]);
  graveyard[1] = graveyard[0];
  graveyard[0] = old;
}

REAL int use_config(void) {
  struct config* config = current;
  dawdle(40);
  return config->alive == 1;
}

static void work(long index, long rounds) {
  if (index == 0) {
    for (long i = 0; i < rounds; i++) {
      replace_config(i);
      dawdle(20);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    return;
  }
  long seen = 0;
  while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) seen += !use_config();
  __atomic_fetch_add(&dead_uses, seen, __ATOMIC_RELAXED);
}

static long run(int threads, long rounds) {
  dead_uses = stop = 0;
  run_threads(threads, rounds, work);
  return dead_uses;
}

int main(void) {
  current = make_config(0);
  return serve(run);
}
