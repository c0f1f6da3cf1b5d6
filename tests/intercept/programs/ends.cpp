// SPDX-License-Identifier: Apache-2.0
// A section that is left in every other way than by its return. Commands on standard input, an answer to each; "work"
// says how many of its updates got lost.
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>

#include "rounds.h"

static volatile long counter;
static volatile long handled;
static volatile bool lingers;  // somebody sleeps or burns inside
static thread_local std::jmp_buf landing;
static sem_t inside, outside;

enum class Way { kReturn, kThrow, kJump, kEndThread, kKillSelf, kSignal, kFork, kExec, kSleep, kBurn, kSleepTold };

static long now_ns() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000 + now.tv_nsec;
}

static void burn(long length_ns) {
  for (const long end_ns = now_ns() + length_ns; now_ns() < end_ns;) {
  }
}

REAL void section(Way way) {
  const long value = counter;
  dawdle(5);
  switch (way) {
    case Way::kReturn:
      break;
    case Way::kThrow:
      throw std::runtime_error("left");
    case Way::kJump:
      std::longjmp(landing, 1);
    case Way::kEndThread:
      syscall(SYS_exit, 0);
      break;
    case Way::kKillSelf:
      raise(SIGKILL);
      break;
    case Way::kSignal:
      raise(SIGUSR1);
      break;
    case Way::kFork:
      if (const pid_t child = fork(); child == 0) {
        section(Way::kReturn);
        _exit(7);
      } else {
        int status = 0;
        waitpid(child, &status, 0);
        if (WEXITSTATUS(status) != 7) {
          abort();
        }
      }
      break;
    case Way::kExec:
      execl("/proc/self/exe", "ends", "again", nullptr);
      break;
    case Way::kSleepTold:
      sem_post(&inside);
      [[fallthrough]];
    case Way::kSleep:
      lingers = true;
      usleep(20000);
      lingers = false;
      break;
    case Way::kBurn:
      lingers = true;
      burn(40000000);
      lingers = false;
      break;
  }
  counter = value + 1;
}

REAL void act(Way way) {
  dawdle(5);
  if (way == Way::kThrow) {
    throw std::runtime_error("left");
  } else if (way == Way::kJump) {
    std::longjmp(landing, 1);
  } else if (way == Way::kEndThread) {
    syscall(SYS_exit, 0);
  }
}

// Only the update in its middle is to be kept apart, and may be left there.
extern "C" REAL void partly(Way way) {
  usleep(1);
  const long value = counter;
  act(way);
  counter = value + 1;
  usleep(1);
}

static bool is_partly = false;

extern "C" void on_signal(int) {
  section(Way::kReturn);
  handled = handled + 1;
}

static void leave(Way way) {
  if (is_partly) {
    partly(way);
  } else {
    section(way);
  }
}

static void leave_by(Way way) {
  if (way == Way::kThrow) {
    try {
      leave(way);
    } catch (const std::runtime_error&) {
    }
  } else if (way == Way::kJump) {
    if (setjmp(landing) == 0) {
      leave(way);
    }
  } else {
    leave(way);
  }
}

static Way way_of(const std::string& word) {
  static const char* const kWords[] = {"return", "throw", "jump", "end",   "kill",
                                       "signal", "fork",  "exec", "sleep", "burn"};
  for (int i = 0; i < 10; i++) {
    if (word == kWords[i]) {
      return static_cast<Way>(i);
    }
  }
  abort();
}

static void* in_thread(void* way) {
  leave_by(*static_cast<Way*>(way));
  return nullptr;
}

static void run_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

struct Lingering {
  Way way;
  int cpu;
};

static void* linger(void* argument) {
  const Lingering& lingering = *static_cast<Lingering*>(argument);
  run_on(lingering.cpu);
  section(lingering.way);
  return nullptr;
}

// Calls from `cpu` while a thread on its own CPU is inside and does not leave.
static int call_beside(Lingering lingering, int cpu) {
  pthread_t thread;
  cpu_set_t before;
  int calls = 0;
  sched_getaffinity(0, sizeof(before), &before);
  run_on(cpu);
  if (pthread_create(&thread, nullptr, linger, &lingering) != 0) {
    abort();
  }
  while (!lingers) {
    sched_yield();
  }
  for (; lingers; calls++) {
    section(Way::kReturn);
    sched_yield();
  }
  pthread_join(thread, nullptr);
  sched_setaffinity(0, sizeof(before), &before);
  return calls;
}

// Leaves by a jump that nobody sees, and neither ends nor comes back.
static void* stay_away(void*) {
  if (setjmp(landing) == 0) {
    section(Way::kJump);
  }
  sem_post(&outside);
  for (;;) {
    pause();
  }
}

static void* sleep_inside(void*) {
  section(Way::kSleepTold);
  return nullptr;
}

// A call while another thread sleeps in one.
static void meet_sleeper() {
  pthread_t thread;
  if (pthread_create(&thread, nullptr, sleep_inside, nullptr) != 0) {
    abort();
  }
  sem_wait(&inside);
  section(Way::kReturn);
  pthread_join(thread, nullptr);
}

static void add(long, long rounds) {
  for (long i = 0; i < rounds; i++) {
    section(Way::kReturn);
  }
}

int main(int argc, char**) {
  std::signal(SIGUSR1, on_signal);
  sem_init(&inside, 0, 0);
  sem_init(&outside, 0, 0);
  printf(argc > 1 ? "again\n" : "ready\n");
  fflush(stdout);
  char line[64];
  int cpus[2];
  while (fgets(line, sizeof(line), stdin) != nullptr) {
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "work") == 0) {
      counter = 0;
      run_threads(2, 5000, add);
      printf("wrong %ld of 10000\n", 10000 - counter);
    } else if (char word[16]; sscanf(line, "%15s %d beside %d", word, &cpus[0], &cpus[1]) == 3) {
      printf("called %d\n", call_beside({way_of(word), cpus[0]}, cpus[1]));
    } else if (strcmp(line, "stay") == 0) {
      pthread_t thread;
      if (pthread_create(&thread, nullptr, stay_away, nullptr) != 0) {
        abort();
      }
      sem_wait(&outside);
      printf("left stay\n");
    } else if (strcmp(line, "meet") == 0) {
      meet_sleeper();
      printf("left meet\n");
    } else {
      is_partly = strncmp(line, "partly ", 7) == 0;
      Way way = way_of(is_partly ? line + 7 : line);
      pthread_t thread;
      if (pthread_create(&thread, nullptr, in_thread, &way) != 0) {
        abort();
      }
      pthread_join(thread, nullptr);
      printf("left %s, handled %ld\n", line, handled);
    }
    fflush(stdout);
  }
}
