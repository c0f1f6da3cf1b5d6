// SPDX-License-Identifier: Apache-2.0
// Variables of every sort; variables_test.cpp says what is expected of them. `main` uses all, so that none is dropped.
#include "variables.h"

#include <pthread.h>
#include <semaphore.h>

#include <condition_variable>
#include <mutex>
#include <shared_mutex>

long counter = 1;
static int hidden = 2;
volatile int flag = 0;
const int kLimit = 10;
const int kTable[4] = {1, 2, 3, 4};
std::atomic<long> total{0};
std::atomic_flag spinning = ATOMIC_FLAG_INIT;
thread_local int per_thread = 3;
__attribute__((used)) const char* const kName = "raceguard";  // relocated at start, then read-only
const char* text = "x";

std::mutex lock;
std::timed_mutex timed_lock;
std::shared_mutex shared_lock;
std::condition_variable condition;
std::once_flag once;
pthread_mutex_t c_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t c_rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_spinlock_t c_spin;
sem_t semaphore;

namespace shop {

Config config;
Account accounts[3];
Derived derived;
long Account::opened = 0;

namespace {
long secret = 5;
}

long next_id() {
  static long last = 100;
  return ++last;
}

template <typename T>
struct Pool {
  static long live;
};
template <typename T>
long Pool<T>::live = 0;

void touch() {
  secret += next_id() + Pool<int>::live++ + Pool<char>::live++;
  config.counters[3].hits++;
  config.state.ready = 1;
  accounts[1].balance.cents += Account::opened;
  derived.own += derived.Left::value;
}

}  // namespace shop

int main(int argc, char** argv) {
  std::lock_guard guard(lock);
  timed_lock.lock();
  shared_lock.lock_shared();
  std::call_once(once, [] { condition.notify_all(); });
  pthread_mutex_lock(&c_lock);
  pthread_rwlock_rdlock(&c_rwlock);
  pthread_spin_init(&c_spin, 0);
  sem_init(&semaphore, 0, 1);
  shop::touch();
  counter += argc + hidden++ + flag + kLimit + kTable[argc & 3] + per_thread++;
  total += counter;
  text = argc > 1 ? argv[1] : kName;
  spinning.test_and_set();
  return shop::deposit(&shop::accounts[0], argc) + from_c(&shop::config) > 0 ? 0 : static_cast<int>(text[0]);
}
