// SPDX-License-Identifier: Apache-2.0
// memcached issue 127 (1.4.4), after the description in Yu's collection (github.com/jieyu/concurrency-bugs,
// memcached-127). Own code, with memcached's functions and steps: an item is looked up under the cache's lock, and
// changed under it again, but in between another client's change may have made the value longer, which puts a new item
// into the table and leaves this one working on the old one. No data race at all: an atomicity violation under a lock.
// Wrong: increments that got lost.
#include <stdbool.h>
#include <string.h>

#include "rounds.h"

#define KEYS 4096
#define LONGEST 24

struct item {
  int references;
  int bytes; /* room for the value */
  char data[];
};

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static struct item* table[KEYS];

static struct item* make_item(int bytes) {
  struct item* item = calloc(1, sizeof(*item) + (size_t)bytes + 1);
  item->references = 1;
  item->bytes = bytes;
  return item;
}

static void release(struct item* item) {
  if (--item->references == 0) free(item);
}

REAL struct item* item_get(int key) {
  pthread_mutex_lock(&cache_lock);
  struct item* item = table[key];
  item->references++;
  pthread_mutex_unlock(&cache_lock);
  return item;
}

REAL void item_remove(struct item* item) {
  pthread_mutex_lock(&cache_lock);
  release(item);
  pthread_mutex_unlock(&cache_lock);
}

static void do_add_delta(int key, struct item* item, bool incr, long delta) {
  char text[LONGEST];
  long value = strtol(item->data, NULL, 10);
  value = incr ? value + delta : value - delta;
  const int length = snprintf(text, sizeof(text), "%ld", value);
  if (length > item->bytes) { /* a longer one takes its place */
    struct item* longer = make_item(length);
    memcpy(longer->data, text, (size_t)length);
    struct item* before = table[key];
    table[key] = longer;
    release(before);
  } else {
    memcpy(item->data, text, (size_t)length);
    memset(item->data + length, ' ', (size_t)(item->bytes - length));
  }
}

REAL void add_delta(int key, struct item* item, bool incr, long delta) {
  pthread_mutex_lock(&cache_lock);
  do_add_delta(key, item, incr, delta);
  pthread_mutex_unlock(&cache_lock);
}

REAL void process_arithmetic_command(int key, bool incr, long delta) {
  struct item* item = item_get(key);
  dawdle(20); /* what memcached checks in between, made longer */
  add_delta(key, item, incr, delta);
  item_remove(item);
}

static long arrivals[KEYS];
static long clients;

static void work(long index, long rounds) {
  (void)index;
  for (long i = 0; i < rounds; i++) {
    meet(&arrivals[i], clients);
    process_arithmetic_command((int)i, true, 1);
  }
}

/* Each value is about to grow longer: 9 and the first increment. */
static void set_all(void) {
  for (int key = 0; key < KEYS; key++) {
    free(table[key]);
    table[key] = make_item(1);
    table[key]->data[0] = '9';
    arrivals[key] = 0;
  }
}

static long run(int threads, long rounds) {
  if (rounds > KEYS) rounds = KEYS;
  set_all();
  clients = threads;
  run_threads(threads, rounds, work);
  long wrong = 0;
  for (int key = 0; key < rounds; key++) wrong += 9 + threads - strtol(table[key]->data, NULL, 10);
  return wrong;
}

int main(void) { return serve(run); }
