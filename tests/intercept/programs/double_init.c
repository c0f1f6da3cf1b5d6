// SPDX-License-Identifier: Apache-2.0
// Whoever comes first makes the instance. Wrong: instances that were made beside the first one.
#include "rounds.h"

struct instance {
  long number;
};

static struct instance* volatile instances[4096];
static long made;

REAL struct instance* get_instance(long which) {
  if (instances[which] == NULL) {
    struct instance* fresh = malloc(sizeof(*fresh));
    dawdle(5);
    fresh->number = __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
    instances[which] = fresh;
  }
  return instances[which];
}

static long arrivals[4096];
static long thread_count;

static void work(long index, long rounds) {
  (void)index;
  for (long i = 0; i < rounds; i++) {
    meet(&arrivals[i], thread_count);
    get_instance(i);
  }
}

static long run(int threads, long rounds) {
  if (rounds > 4096) rounds = 4096;
  for (long i = 0; i < rounds; i++) {
    free(instances[i]);
    instances[i] = NULL;
    arrivals[i] = 0;
  }
  made = 0;
  thread_count = threads;
  run_threads(threads, rounds, work);
  return made - rounds;
}

int main(void) { return serve(run); }
