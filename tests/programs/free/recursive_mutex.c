// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: tree.nodes
// builds: O0-g O2-g O2-stripped O2-static
// rate: 5000 a second a thread
// A recursive mutex, taken once by one path and twice by the other.
#include "support/pace.h"

struct tree {
  pthread_mutex_t lock;
  long nodes;
};
struct tree tree;

static void add(long count) {
  pthread_mutex_lock(&tree.lock);
  tree.nodes += count;
  pthread_mutex_unlock(&tree.lock);
}

static void *grow(void *unused) {
  for (;;) {
    pthread_mutex_lock(&tree.lock);
    add(2);
    add(-1);
    use(tree.nodes);
    pthread_mutex_unlock(&tree.lock);
    pause_us(150);
  }
}

static void *cut(void *unused) {
  for (;;) {
    add(-1);
    pause_us(150);
  }
}

int main(int argc, char **argv) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&tree.lock, &kind);
  end_with_stdin(argc, argv);
  start_thread(grow, NULL);
  cut(NULL);
}
