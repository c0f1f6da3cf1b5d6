// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/breaker_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "raceguard/stable_hash.h"

namespace raceguard::breaker {
namespace {

// Switches that are not closed come first: they can make room. Then those held back, longest first, then the others.
std::pair<int, std::int64_t> turn(const Breaker& breaker) {
  if (breaker.state() != State::kClosed || breaker.forced()) {
    return {0, 0};
  }
  const std::int64_t held_since_ns = breaker.held_back_since_ns();
  return {1, held_since_ns != 0 ? held_since_ns : std::numeric_limits<std::int64_t>::max()};
}

}  // namespace

std::vector<Decision> BreakerSet::reload(const Instant& now, const std::vector<policy::SwitchPolicy>& switches,
                                         std::uint32_t max_open_switches) {
  max_open_ = max_open_switches;
  std::vector<Decision> decisions;
  const auto note = [&decisions](std::optional<Decision> decision) {
    if (decision) {
      decisions.push_back(*std::move(decision));
    }
  };
  std::set<std::string_view> wanted;
  for (const policy::SwitchPolicy& policy : switches) {
    wanted.insert(policy.name);
    const auto known = breakers_.find(policy.name);
    if (known != breakers_.end()) {
      note(known->second.set_policy(now, policy));
    } else {
      breakers_.emplace(policy.name, Breaker(policy, seed_ ^ stable_hash(policy.name)));
    }
  }
  for (auto entry = breakers_.begin(); entry != breakers_.end();) {
    if (wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    note(entry->second.retire(now));
    entry = breakers_.erase(entry);
  }
  return decisions;
}

std::vector<Decision> BreakerSet::tick(const Instant& now, const Samples& samples) {
  static const Sample kNothing;
  std::vector<Breaker*> order;
  order.reserve(breakers_.size());
  for (auto& [name, breaker] : breakers_) {
    order.push_back(&breaker);
  }
  std::ranges::stable_sort(order, {}, [](const Breaker* breaker) { return turn(*breaker); });

  std::vector<Decision> decisions;
  for (Breaker* breaker : order) {
    const auto sample = samples.find(breaker->policy().name);
    auto decision =
        breaker->tick(now, sample != samples.end() ? sample->second : kNothing, open_switches() < max_open_);
    if (decision) {
      decisions.push_back(*std::move(decision));
    }
  }
  return decisions;
}

Result<std::reference_wrapper<Breaker>> BreakerSet::lookup(const std::string& name) {
  const auto found = breakers_.find(name);
  if (found != breakers_.end()) {
    return std::ref(found->second);
  }
  std::vector<std::string_view> names;
  for (const auto& [known, breaker] : breakers_) {
    names.push_back(known);
  }
  return fail(ErrorCode::kSwitchUnknown, fmt::format("no switch is called '{}'", name),
              names.empty() ? "The policy defines no switches" : fmt::format("Known: {}", fmt::join(names, ", ")));
}

Result<Decision> BreakerSet::force(const Instant& now, const std::string& name, State state, std::string actor,
                                   std::string reason, std::int64_t ttl_ns) {
  if (state == State::kHalfOpen || ttl_ns < 0) {
    return fail(ErrorCode::kControlRequest,
                fmt::format("cannot force switch '{}' {} for {} ns", name, to_string(state), ttl_ns),
                "Force it open or closed, with a time-to-live of 0 (until released) or more");
  }
  return lookup(name).map(
      [&](Breaker& breaker) { return breaker.force(now, state, std::move(actor), std::move(reason), ttl_ns); });
}

Result<Decision> BreakerSet::release(const Instant& now, const std::string& name, std::string actor,
                                     std::string reason) {
  auto breaker = lookup(name);
  if (!breaker) {
    return fail(std::move(breaker).error());
  }
  auto decision = breaker->get().release(now, std::move(actor), std::move(reason));
  if (!decision) {
    return fail(ErrorCode::kControlRequest, fmt::format("switch '{}' is not forced", name));
  }
  return *std::move(decision);
}

const Breaker* BreakerSet::find(std::string_view name) const {
  const auto found = breakers_.find(name);
  return found != breakers_.end() ? &found->second : nullptr;
}

std::uint32_t BreakerSet::open_switches() const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(breakers_, [](const auto& entry) { return entry.second.occupies(); }));
}

}  // namespace raceguard::breaker
