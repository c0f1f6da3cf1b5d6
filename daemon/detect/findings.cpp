// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/detect/site_text.h"

namespace raceguard::detect {
namespace {

constexpr std::int64_t kNewsAfterNs = 60 * kNsPerSecond;

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string percent_text(double ratio) { return fmt::format("{:.0f} %", ratio * 100); }

bool contended(const LockDelta& lock, const FindingThresholds& thresholds) {
  return lock.wait_kind == events::LockStackEvent::WaitKind::kLock && lock.sums.waits >= thresholds.minimum_waits &&
         lock.sums.longest_ns >= thresholds.longest_wait_ns &&
         static_cast<double>(lock.sums.total_wait_ns) >=
             thresholds.waiting_share * static_cast<double>(kRecentWindowNs);
}

std::string contention_text(const LockDelta& lock, const RankedSite* holder) {
  const LockSums& sums = lock.sums;
  const auto average_ns = sums.total_wait_ns / static_cast<std::int64_t>(sums.waits);
  std::string held;
  if (holder != nullptr) {
    if (const std::string site = caller_text(*holder->stack); !site.empty()) {
      held = fmt::format(" (held by {})", site);
    }
  }
  std::string at_once;
  if (sums.waiting > 1) {
    at_once = fmt::format(", up to {} at once", count_text(sums.waiting, "thread"));
  }
  return fmt::format(
      "{} for {}{} in the last 10 s{}: {} each on average, up to {}, together {} of the time of one thread",
      count_text(sums.waits, "wait"), lock.name, held, at_once, duration_text(average_ns),
      duration_text(sums.longest_ns),
      percent_text(static_cast<double>(sums.total_wait_ns) / static_cast<double>(kRecentWindowNs)));
}

std::string slow_text(const FunctionDelta& function) {
  const FunctionSums& sums = function.sums;
  return fmt::format("{} was slow ({} or longer) in {} of {} in the last 10 s: {} on average, up to {}",
                     function.definition->name, duration_text(function.definition->slow_ns),
                     percent_text(share(sums.slow, sums.returns)), count_text(sums.returns, "call"),
                     duration_text(sums.total_ns / static_cast<std::int64_t>(sums.returns)),
                     duration_text(sums.longest_ns));
}

std::string failing_text(const FunctionDelta& function) {
  const FunctionSums& sums = function.sums;
  return fmt::format("{} failed in {} of {} in the last 10 s ({})", function.definition->name,
                     percent_text(share(sums.errors, sums.returns)), count_text(sums.returns, "call"),
                     count_text(sums.errors, "failure"));
}

// Several symbols of one glob share a name: they are judged, and told about, together.
std::vector<FunctionDelta> by_name(std::vector<FunctionDelta> functions) {
  std::map<std::pair<std::string, std::string>, FunctionDelta> merged;
  for (const FunctionDelta& function : functions) {
    FunctionDelta& sum = merged[{function.definition->guard, function.definition->name}];
    sum.definition = function.definition;
    sum.sums += function.sums;
  }
  functions.clear();
  for (const auto& [name, function] : merged) {
    functions.push_back(function);
  }
  return functions;
}

}  // namespace

std::vector<Finding> detect_findings(const FunctionTable& functions, const LockTable& locks, std::int64_t now_ns,
                                     std::int64_t realtime_ns, const FindingThresholds& thresholds) {
  std::vector<Finding> found;
  const auto report = [&](Finding::Kind kind, const std::string& guard, const std::string& subject, std::string text) {
    found.push_back({.kind = kind,
                     .verdict = Verdict::kLikely,
                     .guard = guard,
                     .subject = subject,
                     .text = std::move(text),
                     .first_seen_ns = realtime_ns,
                     .last_seen_ns = realtime_ns,
                     .count = 1});
  };
  for (const LockDelta& lock : locks.recent(now_ns)) {
    if (contended(lock, thresholds)) {
      report(Finding::Kind::kContention, lock.guard, lock.name, contention_text(lock, locks.main_holder(lock.id)));
    }
  }
  for (const FunctionDelta& function : by_name(functions.recent(now_ns))) {
    const FunctionSums& sums = function.sums;
    if (sums.returns < std::max<std::uint64_t>(1, thresholds.minimum_returns)) {
      continue;
    }
    const FunctionDefinition& definition = *function.definition;
    if (share(sums.slow, sums.returns) >= thresholds.slow_ratio) {
      report(Finding::Kind::kSlowFunction, definition.guard, definition.name, slow_text(function));
    }
    if (share(sums.errors, sums.returns) >= thresholds.error_ratio) {
      report(Finding::Kind::kFailingFunction, definition.guard, definition.name, failing_text(function));
    }
  }
  return found;
}

std::vector<Finding> FindingBook::merge(const std::vector<Finding>& seen) {
  std::vector<Finding> news;
  for (const Finding& finding : seen) {
    const Key key{finding.kind, finding.guard, finding.subject};
    const auto known = findings_.find(key);
    if (known == findings_.end()) {
      make_room();
      findings_.emplace(key, finding);
      news.push_back(finding);
      continue;
    }
    Finding& old = known->second;
    const bool back = finding.last_seen_ns - old.last_seen_ns >= kNewsAfterNs;
    old.text = finding.text;
    old.verdict = finding.verdict;
    old.deadlock = finding.deadlock;
    old.lock_order = finding.lock_order;
    old.last_seen_ns = finding.last_seen_ns;
    old.count += finding.count;
    if (back) {
      news.push_back(old);
    }
  }
  return news;
}

void FindingBook::make_room() {
  if (findings_.size() < capacity_) {
    return;
  }
  findings_.erase(std::min_element(findings_.begin(), findings_.end(), [](const auto& a, const auto& b) {
    return a.second.last_seen_ns < b.second.last_seen_ns;
  }));
}

std::vector<Finding> FindingBook::list() const {
  std::vector<Finding> all;
  for (const auto& [key, finding] : findings_) {
    all.push_back(finding);
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Finding& a, const Finding& b) { return a.last_seen_ns > b.last_seen_ns; });
  return all;
}

}  // namespace raceguard::detect
