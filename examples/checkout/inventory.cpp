// SPDX-License-Identifier: Apache-2.0
#include "examples/checkout/inventory.h"

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

std::mutex inventory_lock;

namespace {

constexpr int kFullShelf = 1'000'000;

struct Shelf {
  int pieces = kFullShelf;
};
std::array<Shelf, kItems> shelves;  // guarded by inventory_lock
std::atomic<int> restocks{0};

// Stands for a call to another system, made with the lock held: the mistake that this example is about.
void ask_warehouse(bool trouble) {
  std::this_thread::sleep_for(trouble ? std::chrono::microseconds(8000) : std::chrono::microseconds(100));
}

}  // namespace

[[gnu::noinline]] int reserve(int item, int quantity) {
  const std::lock_guard<std::mutex> guard(inventory_lock);
  Shelf& shelf = shelves.at(static_cast<std::size_t>(item));
  if (shelf.pieces < quantity) {
    return -1;
  }
  shelf.pieces -= quantity;
  return shelf.pieces;
}

[[gnu::noinline]] int restock(bool trouble) {
  {
    const std::lock_guard<std::mutex> guard(inventory_lock);
    ask_warehouse(trouble);
    shelves.fill(Shelf{});
  }
  return ++restocks;
}
