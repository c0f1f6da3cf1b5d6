// SPDX-License-Identifier: Apache-2.0
// "Customers also bought": nice to have, and not worth a slow checkout.
#pragma once

// The guarded function. Writes up to `limit` items that go with `item` to `out`; returns how many, or -1 on failure.
// Its backend answers in 0.3 ms, or in 40 ms while in trouble. C linkage, so that it is `recommend` in the symbol
// table.
extern "C" int recommend(int item, int* out, int limit);

// Turns the backend slow, or well again.
void set_backend_trouble(bool trouble);
bool backend_trouble();

struct Suggestions {
  int count = 0;
  bool degraded = false;  // the switch was open: the fallback (no recommendations) was taken
};

// What the server calls: recommend(), or the fallback at once if the switch `recommendations` says so.
Suggestions suggestions_for(int item);
