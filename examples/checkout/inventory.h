// SPDX-License-Identifier: Apache-2.0
// The stock of the shop: one lock guards it all.
#pragma once

#include <mutex>

// A global with a symbol of its own, so that raceguard can call it by name.
extern std::mutex inventory_lock;

inline constexpr int kItems = 64;

// Takes `quantity` pieces of `item` (0 <= item < kItems). Returns what is left, or -1 if there are not that many.
int reserve(int item, int quantity);

// Fills the shelves again; called once in a while by a thread of its own. Holds inventory_lock for the time that the
// warehouse takes to answer: 0.1 ms, or 8 ms while in trouble.
int restock(bool trouble);
