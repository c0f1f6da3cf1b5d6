// SPDX-License-Identifier: Apache-2.0
// many THREADS: so many threads, each of which takes one of eight locks and calls one of 500 functions, again and
// again; prints "running" when all are there, and goes on until SIGTERM.
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include <pthread.h>

namespace many {

constexpr std::size_t kFunctions = 500;
std::atomic<unsigned> sum{0};
std::atomic<unsigned> started{0};
std::array<pthread_mutex_t, 8> locks;

template <std::size_t kNumber>
[[gnu::noinline]] unsigned step(unsigned value) {
  return sum.fetch_add(value + static_cast<unsigned>(kNumber));
}

template <std::size_t... kNumbers>
constexpr auto all_steps(std::index_sequence<kNumbers...> /*numbers*/) {
  return std::array{&step<kNumbers>...};
}
constexpr auto kSteps = all_steps(std::make_index_sequence<kFunctions>());

// A call each second or so: 10,000 threads make 10,000 calls a second.
void* work(void* argument) {
  const auto number = reinterpret_cast<std::size_t>(argument);
  ++started;
  for (std::size_t round = 0;; ++round) {
    pthread_mutex_t& lock = locks.at((number + round) % locks.size());
    pthread_mutex_lock(&lock);
    kSteps.at((number + round) % kFunctions)(1);
    if (number % 100 == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(500));  // so that others wait
    }
    pthread_mutex_unlock(&lock);
    std::this_thread::sleep_for(std::chrono::milliseconds(500 + number % 1000));
  }
}

bool start(std::size_t number) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64U << 10U);
  pthread_t thread{};
  const bool good = pthread_create(&thread, &attributes, work, reinterpret_cast<void*>(number)) == 0;
  pthread_attr_destroy(&attributes);
  return good;
}

}  // namespace many

int main(int argc, char** argv) {
  const auto threads = argc > 1 ? static_cast<std::size_t>(std::atol(argv[1])) : 100;
  for (pthread_mutex_t& lock : many::locks) {
    pthread_mutex_init(&lock, nullptr);
  }
  for (std::size_t i = 0; i < threads; ++i) {
    if (!many::start(i)) {
      std::fprintf(stderr, "cannot start thread %zu of %zu: see ulimit -u, kernel.threads-max and vm.max_map_count\n",
                   i, threads);
      return 1;
    }
  }
  while (many::started < threads) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::puts("running");
  std::fflush(stdout);
  pause();
}
