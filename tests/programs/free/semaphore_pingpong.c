// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: ball
// builds: O0-g O2-g O2-stripped O2-static
// rate: 5000 a second a thread
// Two threads take turns by two semaphores.
#include <semaphore.h>

#include "support/pace.h"

sem_t turns[2];
long ball;

static void *player(void *number) {
  long me = (long)number;
  for (;;) {
    sem_wait(&turns[me]);
    ball++;
    pause_us(80);
    ball++;
    sem_post(&turns[1 - me]);
  }
}

int main(int argc, char **argv) {
  sem_init(&turns[0], 0, 1);
  sem_init(&turns[1], 0, 0);
  end_with_stdin(argc, argv);
  start_thread(player, (void *)1);
  player((void *)0);
}
