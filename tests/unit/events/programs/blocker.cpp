// SPDX-License-Identifier: Apache-2.0
// blocker MODE: a thread of known callers blocks for ever in one kind of wait. Prints "TID WORD OUTER MIDDLE INNER\n":
// the thread, the address of what it waits for and of its callers, outermost first. Ends when its standard input does.
#include <alloca.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>

namespace {

std::mutex cxx_mutex;
std::condition_variable cxx_condition;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
pthread_mutex_t condition_mutex = PTHREAD_MUTEX_INITIALIZER;
sem_t semaphore;

struct Mode {
  const char* name;
  void* word;
  void (*hold)();
  void (*block)();
};

const Mode kModes[] = {
    {"mutex", &mutex, [] { pthread_mutex_lock(&mutex); }, [] { pthread_mutex_lock(&mutex); }},
    {"rwlock", &rwlock, [] { pthread_rwlock_wrlock(&rwlock); }, [] { pthread_rwlock_rdlock(&rwlock); }},
    {"std_mutex", &cxx_mutex, [] { cxx_mutex.lock(); }, [] { const std::lock_guard guard(cxx_mutex); }},
    {"cond", &condition, [] {},
     [] {
       pthread_mutex_lock(&condition_mutex);
       pthread_cond_wait(&condition, &condition_mutex);
     }},
    {"std_cond", &cxx_condition, [] {},
     [] {
       std::unique_lock guard(cxx_mutex);
       cxx_condition.wait(guard);
     }},
    {"sem", &semaphore, [] { sem_init(&semaphore, 0, 0); }, [] { sem_wait(&semaphore); }},
};

volatile int after_call;  // written behind each call, so that none of them is a tail call

}  // namespace

extern "C" {
__attribute__((noinline)) void inner(const Mode* mode, volatile char* bytes) {
  bytes[0] = 1;
  mode->block();
  after_call = 1;
}

// A frame of variable size: its CFA cannot be told from rsp.
__attribute__((noinline)) void middle(const Mode* mode, std::size_t size) {
  auto* bytes = static_cast<volatile char*>(alloca(size));
  inner(mode, bytes);
  after_call = bytes[0];
}

__attribute__((noinline)) void outer(const Mode* mode) {
  middle(mode, 64 + static_cast<std::size_t>(after_call));
  after_call = 3;
}

void* thread_main(void* argument) {
  const auto* mode = static_cast<const Mode*>(argument);
  std::printf("%ld %p %p %p %p\n", syscall(SYS_gettid), mode->word, reinterpret_cast<void*>(&outer),
              reinterpret_cast<void*>(&middle), reinterpret_cast<void*>(&inner));
  std::fflush(stdout);
  outer(mode);
  after_call = 4;
  return nullptr;
}
}

int main(int argc, char** argv) {
  for (const Mode& mode : kModes) {
    if (argc == 2 && std::strcmp(argv[1], mode.name) == 0) {
      mode.hold();
      pthread_t thread;
      pthread_create(&thread, nullptr, thread_main, const_cast<Mode*>(&mode));
      char byte = 0;
      while (read(STDIN_FILENO, &byte, 1) > 0) {
      }
      _exit(0);
    }
  }
  return 2;
}
