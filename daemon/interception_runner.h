// SPDX-License-Identifier: Apache-2.0
// Carries orders out: begins, drives and ends interceptions, and looks up what could be one. Driven by step(), from one
// thread (interception_thread.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/interception.h"
#include "daemon/interception_order.h"
#include "daemon/kernel/calibrate.h"
#include "raceguard/clock.h"

namespace raceguard::app {

class InterceptionRunner {
 public:
  // `clock` must outlive it.
  explicit InterceptionRunner(const Clock& clock) : clock_(clock) {}

  void set_work(InterceptionWork work) { work_ = std::move(work); }
  void add(std::vector<ProposalOrder> proposals);
  // Ends what is ordered no longer, begins one of those that are new or looks up one proposal, and drives the others.
  void step();
  // Ends all.
  void end(const std::string& why);

  [[nodiscard]] bool is_idle() const { return running_.empty() && !has_more(); }
  // The next step() has something to begin.
  [[nodiscard]] bool has_more() const;

  [[nodiscard]] std::vector<InterceptionNews> take_news() { return std::exchange(news_, {}); }
  [[nodiscard]] std::vector<ProposalNews> take_proposals() { return std::exchange(proposed_, {}); }

 private:
  struct Run {
    std::uint64_t attempt = 0;
    std::unique_ptr<Interception> interception;
    std::int64_t told_ns = 0;
  };
  using Runs = std::map<InterceptionId, Run>;
  void end_unwanted();
  void drive();
  void begin(const InterceptionId& id, const InterceptionOrder& order);
  [[nodiscard]] Result<std::unique_ptr<Interception>> start(const InterceptionId& id, const InterceptionOrder& order);
  void look_up(const ProposalOrder& order);
  void tell(const InterceptionId& id, const Run& run, InterceptionNews::What what);
  [[nodiscard]] std::optional<InterceptionId> next() const;

  const Clock& clock_;
  InterceptionWork work_;
  std::vector<ProposalOrder> proposals_;
  Runs running_;
  std::map<InterceptionId, std::uint64_t> tried_;  // the last attempt of each order
  std::optional<kernel::Calibration> costs_;       // at first need
  std::vector<InterceptionNews> news_;
  std::vector<ProposalNews> proposed_;
};

}  // namespace raceguard::app
