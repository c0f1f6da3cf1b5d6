// SPDX-License-Identifier: Apache-2.0
// Calls a function through which an exception passes now and then. Reads how many calls to make, a line each; says how
// many of them threw. Ends with its input.
#include <cstdio>
#include <stdexcept>

namespace {

volatile int sink;

[[gnu::noinline]] void check(int order) {
  if (order % 10 == 9) {
    throw std::runtime_error("refused");
  }
  sink = order;
}

}  // namespace

// Two ways out besides the exception's.
extern "C" [[gnu::noinline]] int place_order(int order) {
  check(order);
  if (order % 2 == 0) {
    sink = sink + 1;
    return -1;
  }
  check(sink * 10);
  return order;
}

int main() {
  int calls = 0;
  while (std::scanf("%d", &calls) == 1) {
    int thrown = 0;
    for (int order = 0; order < calls; ++order) {
      try {
        sink = place_order(order);
      } catch (const std::runtime_error&) {
        ++thrown;
      }
    }
    std::printf("%d\n", thrown);
    std::fflush(stdout);
  }
  return 0;
}
