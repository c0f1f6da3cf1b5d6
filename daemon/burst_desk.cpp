// SPDX-License-Identifier: Apache-2.0
#include "daemon/burst_desk.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/detect/lock_order_finding.h"

namespace raceguard::app {
namespace {

constexpr std::size_t kMostTold = 1000;  // notes name processes

bool was_seen_in_last_burst(const std::vector<detect::NamedOrder>& cycle, const detect::LockReport& report) {
  return std::ranges::any_of(
      cycle, [&](const detect::NamedOrder& step) { return step.order.bursts.contains(report.cost.bursts); });
}

}  // namespace

BurstDesk::BurstDesk(const policy::Policy& policy, const Clock& clock, BurstThread::MakeSource make_source)
    : thread_(clock, std::move(make_source)) {
  reload(policy);
}

void BurstDesk::reload(const policy::Policy& policy) {
  guards_.clear();
  for (const policy::Guard& guard : policy.guards) {
    if (guard.bursts.enabled) {
      guards_[guard.name] = guard.bursts;
    }
  }
  work_changed_ = true;
}

void BurstDesk::follow(const targets::TargetSet& targets) {
  BurstWork work{.guards = guards_, .processes = {}};
  if (!guards_.empty()) {
    for (const targets::Target& target : targets.list()) {
      if (guards_.contains(target.guard)) {
        work.processes.emplace(target.id, target.guard);
      }
    }
  }
  work_changed_ = work_changed_ || work != work_;
  work_ = std::move(work);
}

std::vector<detect::Finding> BurstDesk::tick(bool fuse_open) {
  if (std::exchange(work_changed_, false)) {
    thread_.set_work(work_);
  }
  if (std::exchange(held_, fuse_open) != fuse_open) {
    thread_.hold(fuse_open);
    if (fuse_open && !work_.processes.empty()) {
      spdlog::warn("no lock bursts while the fuse is open");
    }
  }
  auto news = thread_.take();
  if (!news) {
    return {};
  }
  const exporting::BurstView before = std::exchange(state_, std::move(*news));
  tell_state();
  Reports changed;
  std::ranges::copy_if(state_.reports, std::back_inserter(changed), [&](const auto& report) {
    return std::ranges::find(before.reports, report) == before.reports.end();
  });
  return findings_of(changed);
}

std::vector<detect::Finding> BurstDesk::findings_of(const Reports& reports) const {
  std::vector<detect::Finding> findings;
  for (const auto& report : reports) {
    if (!guards_.contains(report->guard)) {
      continue;  // the policy changed meanwhile
    }
    for (const auto& cycle : report->cycles) {
      if (was_seen_in_last_burst(cycle, *report)) {
        findings.push_back(detect::lock_order_finding(*report, cycle));
      }
    }
  }
  return findings;
}

// Once each.
void BurstDesk::tell_state() {
  if (told_.size() > kMostTold) {
    told_.clear();
  }
  if (!state_.trouble.empty() && told_.insert(state_.trouble).second) {
    spdlog::warn("no lock bursts: {}", state_.trouble);
  }
  for (const exporting::GuardBurstView& guard : state_.guards) {
    for (const std::string& note : guard.notes) {
      if (told_.insert(note).second) {
        spdlog::warn("lock bursts, policy {}: {}", guard.guard, note);
      }
    }
  }
}

exporting::BurstView BurstDesk::view() const {
  exporting::BurstView view = state_;
  view.wanted = !guards_.empty();
  view.held = held_ && view.wanted;
  if (view.guards.empty()) {  // nobody to look at yet
    for (const auto& [name, settings] : guards_) {
      view.guards.push_back({.guard = name, .limit = settings.budget, .notes = {}});
    }
  }
  std::erase_if(view.guards, [&](const auto& guard) { return !guards_.contains(guard.guard); });
  std::erase_if(view.reports, [&](const auto& report) { return !guards_.contains(report->guard); });
  return view;
}

void BurstDesk::add_drops(std::vector<std::uint64_t>& drops) const {
  drops.resize(std::max(drops.size(), state_.drops.size()));
  for (std::size_t i = 0; i < state_.drops.size(); ++i) {
    drops[i] += state_.drops[i];
  }
}

}  // namespace raceguard::app
