/* SPDX-License-Identifier: Apache-2.0 */
/* The types of variables.cpp; another unit declares its variables too. */
#pragma once
#include <atomic>

namespace shop {

struct Counter {
  int hits;
  int misses;
};

struct Config {
  char mode;
  Counter counters[8];
  short grid[2][3];
  struct {
    unsigned ready : 1;
    unsigned busy : 3;
  } state;
  union {
    int whole;
    short halves[4];
  };
  std::atomic<int> version;
  Config* next;
};

struct Money {
  long cents;
};
class Account {
 public:
  Money balance;
  static long opened;
  long add(long cents);
};

struct Base {
  virtual ~Base() = default;
  long tag = 0;
};
struct Left : Base {
  long value = 0;
};
struct Derived : Left {
  long own = 0;
};

extern Config config;
extern Account accounts[3];
int deposit(Account* account, int cents);

}  // namespace shop

extern long counter;
int from_c(shop::Config* config);
