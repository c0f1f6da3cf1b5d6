// SPDX-License-Identifier: Apache-2.0
#include "examples/checkout/recommend.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "raceguard/switch.h"

// Declares the switch: raceguardd finds it in the binary by this name. The policy config/policies/checkout.yaml says
// when it opens.
RG_SWITCH_DEFINE(recommendations, "recommendations");

namespace {

std::atomic<bool> trouble{false};

// Stands for a call to another system.
void ask_backend() {
  std::this_thread::sleep_for(trouble ? std::chrono::microseconds(40'000) : std::chrono::microseconds(300));
}

}  // namespace

extern "C" [[gnu::noinline]] int recommend(int item, int* out, int limit) {
  if (item < 0 || limit < 0) {
    return -1;
  }
  ask_backend();
  for (int i = 0; i < limit; ++i) {
    out[i] = (item + i + 1) % 64;
  }
  return limit;
}

void set_backend_trouble(bool on) { trouble = on; }
bool backend_trouble() { return trouble; }

Suggestions suggestions_for(int item) {
  if (!rg_allow(recommendations)) {
    return {.count = 0, .degraded = true};
  }
  int items[3];
  const int count = recommend(item, items, 3);
  return {.count = count < 0 ? 0 : count, .degraded = false};
}
