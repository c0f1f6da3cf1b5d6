// SPDX-License-Identifier: Apache-2.0
// Lock bursts beside the loop.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/burst_rounds.h"
#include "raceguard/clock.h"

namespace raceguard::app {

// Has a thread of its own, "rg-bursts", from the first process on that wants bursts: to attach takes 8 to 30 ms, a
// burst up to 100 ms, to detach up to 250 ms, and the loop has to beat the switch page's heart every 0.2 s. Sleeps
// without a wake-up while no process wants any.
class BurstThread {
 public:
  using MakeSource = std::function<std::unique_ptr<BurstSource>(const Clock&)>;  // called on the thread

  // `clock` must outlive it.
  BurstThread(const Clock& clock, MakeSource make_source) : clock_(clock), make_source_(std::move(make_source)) {}
  ~BurstThread();  // a burst that is on ends at once; its probes are gone then
  BurstThread(const BurstThread&) = delete;
  BurstThread& operator=(const BurstThread&) = delete;

  // Starts the thread, so not before the daemon has given up its rights: threads keep theirs. A burst that is on goes
  // to its end: a service that forks all the time would never have a whole one.
  void set_work(BurstWork work);
  // While it is held there is no burst; one that is on ends.
  void hold(bool held);
  // Never waits for a burst. Nothing: no news since.
  [[nodiscard]] std::optional<exporting::BurstView> take();

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] bool goes_on(const std::stop_token& stop);
  void wait(const std::stop_token& stop, const BurstRounds& rounds);

  const Clock& clock_;
  MakeSource make_source_;
  std::mutex lock_;
  std::condition_variable_any changed_;
  std::optional<BurstWork> work_;  // this and the next two are guarded by lock_
  bool held_ = false;
  std::optional<exporting::BurstView> news_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace raceguard::app
