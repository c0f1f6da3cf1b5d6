// SPDX-License-Identifier: Apache-2.0
// lock_work uncontended | convoy: work for tools that watch locks and races, until standard input ends; each line there
// is answered by what was done since the last one (window_report.h).
//   uncontended  two threads, each with a lock of its own, which it takes some million times a second
//   convoy       eight threads and one lock that is held for 20 us, so that most of them wait
// Both count finished batches in a plain variable without a lock: one data race, for those who can find it.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include <pthread.h>

#include "tests/bench/programs/window_report.h"

namespace raceguard::bench {
namespace {

using Clock = std::chrono::steady_clock;

unsigned long finished_batches = 0;  // the race
pthread_mutex_t convoy_lock = PTHREAD_MUTEX_INITIALIZER;
struct alignas(64) Account {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  unsigned long sum = 0;
};
std::array<Account, 2> accounts;
Account shared_account;

std::int64_t ns_since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
}

void compute_for(std::chrono::microseconds time) {
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
  }
}

void locked_add(pthread_mutex_t& lock, unsigned long& sum) {
  pthread_mutex_lock(&lock);
  ++sum;
  pthread_mutex_unlock(&lock);
}

// 256 takings of a lock that nobody else takes; the delay is that of all of them.
void uncontended_batch(unsigned thread, Operations& own) {
  constexpr int kTakings = 256;
  Account& account = accounts.at(thread);
  const auto start = Clock::now();
  for (int i = 0; i < kTakings; ++i) {
    locked_add(account.lock, account.sum);
  }
  own.delays.add(ns_since(start));
  own.done += kTakings;
}

void convoy_batch(unsigned /*thread*/, Operations& own) {
  const auto start = Clock::now();
  pthread_mutex_lock(&convoy_lock);
  ++shared_account.sum;
  compute_for(std::chrono::microseconds(20));
  pthread_mutex_unlock(&convoy_lock);
  own.delays.add(ns_since(start));
  ++own.done;
  compute_for(std::chrono::microseconds(20));
}

struct Work {
  const char* name;
  unsigned threads;
  void (*batch)(unsigned thread, Operations& own);
};
constexpr std::array kWorks = {Work{"uncontended", 2, uncontended_batch}, Work{"convoy", 8, convoy_batch}};

[[noreturn]] void run_thread(const Work& work, unsigned thread, WindowReport& report) {
  Operations own;
  auto handed_over = Clock::now();
  while (true) {
    work.batch(thread, own);
    finished_batches = finished_batches + 1;
    if (ns_since(handed_over) > 5'000'000) {
      report.hand_over(own);
      handed_over = Clock::now();
    }
  }
}

}  // namespace
}  // namespace raceguard::bench

int main(int argc, char** argv) {
  using namespace raceguard::bench;
  for (const Work& work : kWorks) {
    if (argc == 2 && std::strcmp(argv[1], work.name) == 0) {
      WindowReport report;
      for (unsigned thread = 0; thread < work.threads; ++thread) {
        std::thread([&work, thread, &report] { run_thread(work, thread, report); }).detach();
      }
      report.answer_lines();
      std::fflush(nullptr);
      std::_Exit(0);  // the threads never end
    }
  }
  std::fprintf(stderr, "usage: lock_work uncontended|convoy\n");
  return 2;
}
