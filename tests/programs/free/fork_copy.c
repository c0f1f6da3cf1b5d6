// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: counter
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a process
// After a fork both processes write at the same address, each to a page of its own.
#include <signal.h>
#include <sys/types.h>

#include "support/pace.h"

long counter;

static void count_for_ever(void) {
  for (;;) {
    counter++;
    pause_us(120);
  }
}

int main(int argc, char **argv) {
  pid_t parent = getpid();
  counter = 7;
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    count_for_ever();
  }
  end_with_stdin(argc, argv);
  count_for_ever();
}
