// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: shop::total
// pairs: 1-1
// builds: O0-g O2-g O2-stripped O2-clang
// rate: 5000 a second a thread
// The prices are set up once, by the rules; the sum beside them is not guarded by anything.
#include <mutex>

#include "support/pace.h"

namespace shop {
std::once_flag prices_ready;
long prices[4];
long total;

void fill_prices() {
  for (int item = 0; item < 4; item++) prices[item] = 100 + item;
}

void sell(int item) {
  std::call_once(prices_ready, fill_prices);
  total += prices[item];  // race:1
}
}  // namespace shop

static void* till(void*) {
  for (int item = 0;; item = (item + 1) % 4) {
    shop::sell(item);
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(till, nullptr);
  till(nullptr);
}
