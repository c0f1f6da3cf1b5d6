// SPDX-License-Identifier: Apache-2.0
// Threads that take locks in a known way until their input ends. Says "ready" once they run.
//   abba       two locks in both orders, one after the other: never a deadlock
//   gate       the same, under a third lock
//   longgate   the same, under a third lock that each holds for a second, longer than any burst
//   ordered    two locks, always in one order
//   readmostly a mutex under which 19 of 20 sections only read, for some time
//   writeheavy a reader-writer lock that half of the calls take to write
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

pthread_mutex_t lock_a = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t lock_b = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t log_lock = PTHREAD_RWLOCK_INITIALIZER;
std::atomic<bool> stop{false};
std::atomic<int> turn{0};
long table[512];
long log_lines;
long sink;

[[gnu::noinline]] void first_a_then_b() {
  pthread_mutex_lock(&lock_a);
  pthread_mutex_lock(&lock_b);
  ++log_lines;
  pthread_mutex_unlock(&lock_b);
  pthread_mutex_unlock(&lock_a);
}

[[gnu::noinline]] void first_b_then_a() {
  pthread_mutex_lock(&lock_b);
  pthread_mutex_lock(&lock_a);
  ++log_lines;
  pthread_mutex_unlock(&lock_a);
  pthread_mutex_unlock(&lock_b);
}

// In turns, so that the two orders never meet.
void in_turns(int own, const std::function<void()>& work) {
  while (!stop) {
    if (turn == own) {
      work();
      turn = 1 - own;
    } else {
      std::this_thread::yield();
    }
  }
}

void gated(const std::function<void()>& work) {
  while (!stop) {
    pthread_mutex_lock(&gate);
    work();
    pthread_mutex_unlock(&gate);
  }
}

// Whoever has the gate takes the two locks some million times before it lets go.
void gated_for_long(int own, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  while (!stop) {
    if (turn != own) {
      std::this_thread::yield();
      continue;
    }
    pthread_mutex_lock(&gate);
    for (const auto end = Clock::now() + std::chrono::seconds(1); Clock::now() < end && !stop;) {
      work();
    }
    pthread_mutex_unlock(&gate);
    turn = 1 - own;
  }
}

[[gnu::noinline]] long look_up(long key) {
  pthread_mutex_lock(&table_lock);
  long sum = key;
  for (long i = 0; i < 512; ++i) {
    sum = sum * 31 + table[i];
  }
  pthread_mutex_unlock(&table_lock);
  return sum;
}

[[gnu::noinline]] void store(long key) {
  pthread_mutex_lock(&table_lock);
  for (long i = 0; i < 512; ++i) {
    table[i] += key;
  }
  pthread_mutex_unlock(&table_lock);
}

void read_mostly() {
  long sum = 0;
  for (long i = 0; !stop; ++i) {
    if (i % 20 == 0) {
      store(i);
    } else {
      sum += look_up(i);
    }
  }
  __atomic_fetch_add(&sink, sum, __ATOMIC_RELAXED);
}

void write_heavy() {
  for (long i = 0; !stop; ++i) {
    if (i % 2 == 0) {
      pthread_rwlock_wrlock(&log_lock);
      ++log_lines;
      pthread_rwlock_unlock(&log_lock);
    } else {
      pthread_rwlock_rdlock(&log_lock);
      __atomic_fetch_add(&sink, log_lines, __ATOMIC_RELAXED);
      pthread_rwlock_unlock(&log_lock);
    }
  }
}

std::vector<std::function<void()>> work_of(const std::string& mode) {
  if (mode == "abba") {
    return {[] { in_turns(0, first_a_then_b); }, [] { in_turns(1, first_b_then_a); }};
  }
  if (mode == "gate") {
    return {[] { gated(first_a_then_b); }, [] { gated(first_b_then_a); }};
  }
  if (mode == "longgate") {
    return {[] { gated_for_long(0, first_a_then_b); }, [] { gated_for_long(1, first_b_then_a); }};
  }
  if (mode == "ordered") {
    return {[] { in_turns(0, first_a_then_b); }, [] { in_turns(1, first_a_then_b); }};
  }
  if (mode == "readmostly") {
    return {read_mostly, read_mostly};
  }
  if (mode == "writeheavy") {
    return {write_heavy, write_heavy};
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const auto work = work_of(argc > 1 ? argv[1] : "");
  if (work.empty()) {
    std::fputs("usage: lock_mix abba|gate|longgate|ordered|readmostly|writeheavy\n", stderr);
    return 2;
  }
  std::vector<std::thread> threads;
  for (const auto& each : work) {
    threads.emplace_back(each);
  }
  std::puts("ready");
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  stop = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::printf("%ld\n", log_lines);
  return 0;
}
