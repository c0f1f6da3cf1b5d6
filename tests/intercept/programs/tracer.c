// SPDX-License-Identifier: Apache-2.0
// tracer PID STEPS TURNS: what a debugger does. In each turn it stops every thread of the process but its first, has it
// go on by single steps, and lets it go. Prints "steps N" at the end: how many there were.
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

// 0: it stopped, for `*number`, or its tracer asked it to.
static int await_stop(pid_t thread, int* number) {
  int status;
  if (waitpid(thread, &status, __WALL) != thread || !WIFSTOPPED(status)) return 1;
  *number = status >> 16 != 0 || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
  return 0;
}

static long step_through(pid_t thread, long steps) {
  int number = 0;
  long done = 0;
  if (ptrace(PTRACE_SEIZE, thread, 0, 0) != 0) return 0;  // it ended meanwhile
  if (ptrace(PTRACE_INTERRUPT, thread, 0, 0) != 0 || await_stop(thread, &number) != 0) return 0;
  while (done < steps) {
    if (ptrace(PTRACE_SINGLESTEP, thread, 0, (long)number) != 0) return done;
    if (await_stop(thread, &number) != 0) return done;
    done++;
  }
  ptrace(PTRACE_DETACH, thread, 0, (long)number);
  return done;
}

int main(int argc, char** argv) {
  char path[64];
  long done = 0;
  if (argc != 4) return 2;
  const pid_t process = atoi(argv[1]);
  snprintf(path, sizeof(path), "/proc/%d/task", process);
  for (long turn = 0; turn < atol(argv[3]); turn++) {
    const struct timespec pause = {.tv_nsec = 2000000};
    DIR* tasks = opendir(path);
    if (tasks == NULL) break;
    for (struct dirent* each = readdir(tasks); each != NULL; each = readdir(tasks)) {
      const pid_t thread = atoi(each->d_name);
      if (thread != 0 && thread != process) done += step_through(thread, atol(argv[2]));
    }
    closedir(tasks);
    nanosleep(&pause, NULL);
  }
  printf("steps %ld\n", done);
  return 0;
}
