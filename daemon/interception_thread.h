// SPDX-License-Identifier: Apache-2.0
// Interceptions beside the loop.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/interception_order.h"
#include "raceguard/clock.h"

namespace raceguard::app {

// Has a thread of its own, "rg-intercept", from the first order on: setting a probe takes up to 30 ms and taking it
// away up to 250, reading the symbols of a large program longer, and the loop has to beat the switch page's heart every
// 0.2 s. Sleeps without a wake-up while nothing is intercepted.
class InterceptionThread {
 public:
  // `clock` must outlive it.
  explicit InterceptionThread(const Clock& clock) : clock_(clock) {}
  ~InterceptionThread();  // takes everything away
  InterceptionThread(const InterceptionThread&) = delete;
  InterceptionThread& operator=(const InterceptionThread&) = delete;

  // Starts the thread, so not before the daemon has given up its rights: threads keep theirs.
  void set_work(InterceptionWork work);
  // Beyond kMostProposals that wait, they are dropped.
  void add(std::vector<ProposalOrder> proposals);
  // Never waits for an attach.
  [[nodiscard]] std::pair<std::vector<InterceptionNews>, std::vector<ProposalNews>> take();
  // Ends all, waits until that is done, and ends the thread. take() has the last figures then.
  void end(const std::string& why);

 private:
  static constexpr std::size_t kMostProposals = 64;
  void start();
  void run(const std::stop_token& stop);

  const Clock& clock_;
  std::mutex lock_;
  std::condition_variable_any changed_;
  std::optional<InterceptionWork> work_;  // this and the next four are guarded by lock_
  std::vector<ProposalOrder> proposals_;
  std::vector<InterceptionNews> news_;
  std::vector<ProposalNews> proposed_;
  std::string end_reason_ = "the daemon ends";
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace raceguard::app
