// SPDX-License-Identifier: Apache-2.0
// Takes links away while the loop goes on.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/kernel/link.h"

namespace raceguard::kernel {

// Has a thread of its own, "rg-detach", from the first link on: 58 links (29 functions) took 0.7 s on a loaded machine
// with two CPUs, and the loop has to beat the switch page's heart every 0.2 s or applications take the daemon for dead.
class Detacher {
 public:
  Detacher() = default;
  ~Detacher();  // waits until all are detached
  Detacher(const Detacher&) = delete;
  Detacher& operator=(const Detacher&) = delete;

  // Returns at once, unless more links wait than kMostWaiting: then when they are fewer.
  void take(std::vector<Link> links);
  // Until everything that was taken is detached.
  void wait();
  [[nodiscard]] bool idle() const;

 private:
  static constexpr std::size_t kMostWaiting = 8192;  // two of each of the 4096 functions that a policy may have

  void run(const std::stop_token& stop);

  mutable std::mutex lock_;
  std::condition_variable_any changed_;
  std::vector<Link> waiting_;  // guarded by lock_
  bool busy_ = false;          // guarded by lock_
  std::jthread thread_;        // last: it ends before what it uses
};

}  // namespace raceguard::kernel
