// SPDX-License-Identifier: Apache-2.0
// A program with names of every sort; its line numbers are what source_resolver_test.cpp expects.
#include <pthread.h>

#include <cstdlib>

struct Settings {
  long a, b, c, limit;
};
Settings config = {1, 2, 3, 4};
pthread_mutex_t inventory_lock = PTHREAD_MUTEX_INITIALIZER;

extern "C" __attribute__((noinline)) long plain_c(long value) { return value * 3 + config.limit; }

namespace shop {

class Inventory {
 public:
  __attribute__((noinline)) long reserve(long item, const char* who);
  __attribute__((noinline)) long reserve(int item);

 private:
  long stock_ = 10;
};

long Inventory::reserve(long item, const char* who) {
  pthread_mutex_lock(&inventory_lock);  // line 30
  stock_ -= item + *who;
  const long left = stock_;
  pthread_mutex_unlock(&inventory_lock);
  return left + plain_c(item);
}

long Inventory::reserve(int item) { return stock_ + item; }

template <typename T>
__attribute__((noinline)) T recommend(T value) {
  return static_cast<T>(value + static_cast<T>(config.a));
}

}  // namespace shop

namespace {
__attribute__((noinline)) long hidden(long value) { return value + config.b; }
}  // namespace

__attribute__((noinline)) long loop_at_entry(long count, volatile long* cell) {
  do {
    *cell = *cell + 1;
  } while (--count != 0);
  return *cell;
}

__attribute__((always_inline)) inline long charge(long value) {
  return plain_c(value) + 7;  // the innermost line
}
__attribute__((noinline)) long pay(long value) {
  return charge(value) * 2;  // the caller's line
}

int main(int argc, char** argv) {
  shop::Inventory inventory;
  volatile long cell = argc;
  long sum = inventory.reserve(argc, argv[0]) + inventory.reserve(argc) + shop::recommend(argc) +
                 shop::recommend(static_cast<double>(argc)) >
             0;
  sum += hidden(argc) + loop_at_entry(3, &cell) + pay(argc);
  return sum == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
