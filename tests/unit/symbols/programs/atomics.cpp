// SPDX-License-Identifier: Apache-2.0
// Atomic and plain accesses to one word; atomic_function_test.cpp looks at the code of each function.
#include <atomic>

std::atomic<long> word{0};
long plain = 0;

__attribute__((noinline)) long load_relaxed() { return word.load(std::memory_order_relaxed); }
__attribute__((noinline)) void store_release(long value) { word.store(value, std::memory_order_release); }
__attribute__((noinline)) long implicit() { return word; }
__attribute__((noinline)) long load_plain() { return plain; }

int main(int argc, char**) {
  store_release(argc);
  plain = argc;
  return static_cast<int>(load_relaxed() + implicit() + load_plain()) == 0 ? 1 : 0;
}
