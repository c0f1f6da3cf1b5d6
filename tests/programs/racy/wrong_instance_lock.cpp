// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: Account::booked
// pairs: 1-1
// builds: O0-g O2-g O2-stripped O2-static
// rate: 5000 a second a thread
// Each object locks its own mutex, and the member behind it belongs to the class.
#include <mutex>

#include "support/pace.h"

class Account {
 public:
  void book(long amount) {
    std::lock_guard<std::mutex> lock(mutex_);
    booked += amount;  // race:1
  }

 private:
  std::mutex mutex_;
  static long booked;
};
long Account::booked = 0;

Account accounts[2];

static void* clerk(void* account) {
  for (;;) {
    static_cast<Account*>(account)->book(1);
    pause_us(150);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  start_thread(clerk, &accounts[0]);
  clerk(&accounts[1]);
}
