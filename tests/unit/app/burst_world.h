// SPDX-License-Identifier: Apache-2.0
// Bursts that find what a test says, of processes that are none, and a clock that stands still until it is told.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "daemon/burst_rounds.h"

namespace raceguard::app {

struct BurstWorld final : Clock {
  static constexpr std::int64_t kIntervalNs = 10 * kNsPerSecond;

  [[nodiscard]] std::int64_t monotonic_ns() const override { return now_ns; }
  [[nodiscard]] std::int64_t realtime_ns() const override { return now_ns; }

  static BurstWork work(const std::set<pid_t>& pids, double budget = 0.01) {
    BurstWork work{.guards = {{"shop", {.enabled = true, .budget = budget, .interval_ns = kIntervalNs}}},
                   .processes = {}};
    for (const pid_t pid : pids) {
      work.processes.emplace(targets::ProcessId{.pid = pid, .start_ticks = 1}, "shop");
    }
    return work;
  }

  std::int64_t now_ns = 1000 * kNsPerSecond;
  std::int64_t pause_ns = 0;     // that a burst's cost asks for
  std::optional<Error> refusal;  // of the next process to be opened
  bool gone = false;             // the process of the next burst
  detect::LockReport report;     // of each burst
  std::vector<pid_t> bursts;     // in the order in which they came
  int opened = 0;
  int rests = 0;
  std::size_t open = 0;
  std::size_t most_open = 0;
  double budget = 0;
};

class FakeBurstSubject final : public BurstSubject {
 public:
  FakeBurstSubject(BurstWorld& world, pid_t pid) : world_(world), pid_(pid) {
    world_.most_open = std::max(world_.most_open, ++world_.open);
  }
  ~FakeBurstSubject() override { --world_.open; }
  FakeBurstSubject(const FakeBurstSubject&) = delete;
  FakeBurstSubject& operator=(const FakeBurstSubject&) = delete;

  Result<void> burst(const std::function<bool()>&) override {
    if (world_.gone) {
      return fail(ErrorCode::kTargetGone, "gone");
    }
    world_.bursts.push_back(pid_);
    ++cost_.bursts;
    cost_.hits += 100;
    return {};
  }
  [[nodiscard]] std::int64_t pause_ns() const override { return world_.pause_ns; }
  [[nodiscard]] const detect::BurstCost& cost() const override { return cost_; }
  [[nodiscard]] Result<detect::LockReport> report(std::size_t) override {
    detect::LockReport report = world_.report;
    report.pid = pid_;
    report.cost = cost_;
    return report;
  }

 private:
  BurstWorld& world_;
  pid_t pid_;
  detect::BurstCost cost_;
};

class FakeBurstSource final : public BurstSource {
 public:
  explicit FakeBurstSource(BurstWorld& world) : world_(world) {}
  Result<std::unique_ptr<BurstSubject>> open(const targets::ProcessId& id, double budget) override {
    ++world_.opened;
    world_.budget = budget;
    if (world_.refusal) {
      return fail(Error(*world_.refusal));
    }
    return std::make_unique<FakeBurstSubject>(world_, id.pid);
  }
  [[nodiscard]] std::vector<std::uint64_t> drops() const override { return {}; }
  void rest() override { ++world_.rests; }

 private:
  BurstWorld& world_;
};

}  // namespace raceguard::app
