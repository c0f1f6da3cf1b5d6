// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: list.head | list.length
// pairs: 1-2 2-2 3-3
// builds: O0-g O2-g O2-static
// rate: 4000 a second a thread
// Two threads push onto a list without a lock. Nobody walks along it: what they break would break the program.
#include "support/pace.h"

struct node {
  struct node *next;
};
struct list {
  struct node *head;
  long length;
};
struct list list;
struct node own_nodes[2][16];

static void *pusher(void *nodes) {
  for (unsigned turn = 0;; turn++) {
    struct node *node = (struct node *)nodes + turn % 16;
    node->next = list.head;  // race:1
    list.head = node;        // race:2
    list.length++;           // race:3
    pause_us(180);
  }
}

int main(int argc, char **argv) {
  end_with_stdin(argc, argv);
  start_thread(pusher, own_nodes[0]);
  pusher(own_nodes[1]);
}
