// SPDX-License-Identifier: Apache-2.0
// What came of the orders: how an entry's state changes by it, and the sums.
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "daemon/interception_book.h"
#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

using exporting::InterceptionEvent;
using exporting::InterceptionState;

constexpr std::int64_t kFirstRestNs = 60 * kNsPerSecond;  // after it was withdrawn, doubled each time ...
constexpr std::int64_t kLongestRestNs = 3600 * kNsPerSecond;
constexpr std::int64_t kLongRunNs = 600 * kNsPerSecond;   // ... unless it ran for so long in between
constexpr std::int64_t kFirstRetryNs = 5 * kNsPerSecond;  // after it could not begin, doubled
constexpr std::int64_t kLongestRetryNs = 600 * kNsPerSecond;

std::int64_t doubled(std::int64_t first_ns, unsigned times, std::int64_t longest_ns) {
  return std::min(first_ns << std::min(times, 20U), longest_ns);
}

}  // namespace

exporting::GuardInterceptionsView& InterceptionBook::sums(const std::string& guard) {
  auto& found = sums_[guard];
  found.guard = guard;
  return found;
}

void InterceptionBook::rest(Entry& entry, const breaker::Instant& now, std::int64_t for_ns, std::string why) {
  entry.view.state = InterceptionState::kResting;
  entry.view.why = std::move(why);
  entry.next_try_ns = now.monotonic_ns + for_ns;
  entry.view.next_try_realtime_ns = now.realtime_ns + for_ns;
}

void InterceptionBook::take_in(const std::vector<InterceptionNews>& news, const std::vector<ProposalNews>& proposals,
                               const breaker::Instant& now) {
  for (const InterceptionNews& one : news) {
    const auto found = entries_.find(one.id);
    if (found == entries_.end()) {
      continue;
    }
    Entry& entry = found->second;
    if (one.what == InterceptionNews::What::kBegun) {
      entry.counted = {};
      entry.view.figures = one.figures;
    }
    add_figures(one.id, entry, one.figures);
    if (one.attempt != entry.attempt && one.what != InterceptionNews::What::kEnded) {
      continue;  // of a run that is over by order
    }
    switch (one.what) {
      case InterceptionNews::What::kBegun:
        on_begun(one.id, entry, now);
        break;
      case InterceptionNews::What::kGoesOn:
        break;
      case InterceptionNews::What::kEnded:
        on_ended(one.id, entry, now);
        break;
      case InterceptionNews::What::kFailed:
        on_failed(one.id, entry, one.failure, now);
        break;
    }
  }
  for (const ProposalNews& one : proposals) {
    exporting::ProposalView view{.guard = one.guard,
                                 .finding = one.finding,
                                 .pid = one.pid,
                                 .functions = {},
                                 .command = {},
                                 .failure = one.failure};
    std::ranges::transform(one.functions, std::back_inserter(view.functions), name_with_accesses);
    if (one.failure.empty()) {
      view.command = fmt::format("raceguardctl intercept {} --enforce --for 1h", one.finding);
    }
    proposals_[{one.guard, one.finding}] = view;
    ++sums(one.guard).events.at(static_cast<std::size_t>(InterceptionEvent::kProposed));
    records_.push_back({.event = InterceptionEvent::kProposed, .view = {}, .why = one.failure, .proposal = view});
  }
}

void InterceptionBook::on_begun(const InterceptionId& id, Entry& entry, const breaker::Instant& now) {
  ++entry.view.begun;
  entry.view.begun_realtime_ns = now.realtime_ns;
  entry.begun_ns = now.monotonic_ns;
  entry.failures = 0;
  entry.told_failure.clear();
  if (work_.orders.contains(id)) {
    entry.view.state = InterceptionState::kRunning;
  }
  record(InterceptionEvent::kBegun, entry, {});
}

// By order: then its state is that of the order already. By itself otherwise.
void InterceptionBook::on_ended(const InterceptionId& id, Entry& entry, const breaker::Instant& now) {
  const bool by_itself = entry.view.state == InterceptionState::kRunning && work_.orders.contains(id);
  entry.ended_ns = now.monotonic_ns;
  entry.view.ended_realtime_ns = now.realtime_ns;
  const std::string why = entry.view.figures.ended;
  if (entry.view.figures.withdrawn) {
    const bool long_run = now.monotonic_ns - entry.begun_ns >= kLongRunNs;
    entry.withdrawals = long_run ? 0 : entry.withdrawals;
    rest(entry, now, doubled(kFirstRestNs, entry.withdrawals++, kLongestRestNs), why);
    work_.orders.erase(id);
    work_changed_ = true;
  } else if (by_itself) {
    rest(entry, now, kFirstRetryNs, why);
    work_.orders.erase(id);
    work_changed_ = true;
  } else if (!work_.orders.contains(id)) {
    entry.view.why = why;
  }
  record(entry.view.figures.withdrawn ? InterceptionEvent::kWithdrawn : InterceptionEvent::kEnded, entry, why);
}

void InterceptionBook::on_failed(const InterceptionId& id, Entry& entry, const std::string& failure,
                                 const breaker::Instant& now) {
  work_.orders.erase(id);
  work_changed_ = true;
  rest(entry, now, doubled(kFirstRetryNs, entry.failures++, kLongestRetryNs), failure);
  if (entry.told_failure != failure) {
    entry.told_failure = failure;
    record(InterceptionEvent::kFailed, entry, failure);
  }
}

void InterceptionBook::add_figures(const InterceptionId& id, Entry& entry, const detect::Interception& figures) {
  if (figures.functions.empty()) {
    return;
  }
  const detect::InterceptionSums now = detect::sums_of(figures);
  const detect::InterceptionSums before = detect::sums_of(entry.counted);
  exporting::GuardInterceptionsView& to = sums(id.guard);
  to.calls += now.calls - before.calls;
  to.taken += now.taken - before.taken;
  to.waits += now.waits - before.waits;
  to.wait_ns += now.wait_ns - before.wait_ns;
  to.cost_ns += now.cost_ns - before.cost_ns;
  for (std::size_t i = 0; i < figures.functions.size(); ++i) {
    for (std::size_t reason = 0; reason < RG_OPEN_COUNT; ++reason) {
      const auto& counted = entry.counted.functions;
      const std::uint64_t known = i < counted.size() ? counted[i].figures.open[reason] : 0;
      to.opened.at(reason) += figures.functions[i].figures.open[reason] - known;
    }
  }
  entry.counted = figures;
  entry.view.figures = figures;
}

void InterceptionBook::record(InterceptionEvent event, const Entry& entry, std::string why) {
  ++sums(entry.view.guard).events.at(static_cast<std::size_t>(event));
  records_.push_back({.event = event, .view = shown(entry), .why = std::move(why), .proposal = {}});
}

}  // namespace raceguard::app
