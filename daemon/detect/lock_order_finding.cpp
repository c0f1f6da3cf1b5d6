// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_order_finding.h"

#include <memory>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace raceguard::detect {
namespace {

std::string text_of(const OrderedLocks& locks) {
  std::string text = fmt::format("threads of {} take locks in orders that can end in a deadlock: ", locks.process);
  for (std::size_t i = 0; i < locks.orders.size(); ++i) {
    const NamedOrder& step = locks.orders[i];
    text += fmt::format("{} holds {} (from {}) and wants {} in {}", i == 0 ? "one" : "; another one", step.held,
                        step.held_at, step.wanted, step.wanted_at);
  }
  return text;
}

}  // namespace

Finding lock_order_finding(const LockReport& report, const std::vector<NamedOrder>& cycle) {
  OrderedLocks locks{.pid = report.pid, .process = fmt::format("{} ({})", report.comm, report.pid), .orders = cycle};
  std::vector<std::string> names;
  for (const NamedOrder& step : cycle) {
    names.push_back(step.held);
  }
  Finding finding;
  finding.kind = Finding::Kind::kLockOrder;
  finding.verdict = Verdict::kLikely;
  finding.guard = report.guard;
  finding.subject = fmt::format("{} of process {}", fmt::join(names, ", "), report.pid);
  finding.text = text_of(locks);
  finding.first_seen_ns = finding.last_seen_ns = report.realtime_ns;
  finding.count = 1;
  finding.lock_order = std::make_shared<const OrderedLocks>(std::move(locks));
  return finding;
}

}  // namespace raceguard::detect
