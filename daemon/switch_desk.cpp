// SPDX-License-Identifier: Apache-2.0
#include "daemon/switch_desk.h"

#include <algorithm>
#include <limits>

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

namespace raceguard::app {
namespace {

breaker::Sample sample_of(const detect::SwitchSums& sums) {
  breaker::Sample sample{.calls = sums.calls,
                         .slow = sums.slow,
                         .errors = sums.errors,
                         .lock_waits = {},
                         .proven_races = sums.races.proven,
                         .likely_races = sums.races.likely};
  for (std::size_t bucket = 0; bucket < sums.lock_waits.counts.size(); ++bucket) {
    sample.lock_waits.at(bucket) = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(sums.lock_waits.counts.at(bucket), std::numeric_limits<std::uint32_t>::max()));
  }
  return sample;
}

std::vector<policy::SwitchPolicy> switches_of(const policy::Policy& policy) {
  std::vector<policy::SwitchPolicy> all;
  for (const policy::Guard& guard : policy.guards) {
    all.insert(all.end(), guard.switches.begin(), guard.switches.end());
  }
  return all;
}

}  // namespace

SwitchDesk::SwitchDesk(const policy::Policy& policy, switches::SwitchBoard board, exporting::EvidenceWriter evidence,
                       const Clock& clock, std::uint64_t seed)
    : clock_(clock),
      breakers_(policy.daemon.max_open_switches, seed),
      board_(std::move(board)),
      evidence_(std::move(evidence)) {
  reload(policy);
}

breaker::Instant SwitchDesk::now() const {
  return {.monotonic_ns = clock_.monotonic_ns(), .realtime_ns = clock_.realtime_ns()};
}

void SwitchDesk::reload(const policy::Policy& policy) {
  desk_.clear();
  std::vector<std::string> names;
  for (const policy::Guard& guard : policy.guards) {
    for (const policy::SwitchPolicy& entry : guard.switches) {
      desk_[entry.name] = {.guard = guard.name,
                           .feed = {.guard = guard.name, .functions = entry.functions, .locks = entry.locks}};
      names.push_back(entry.name);
    }
  }
  for (const Error& error : board_.announce(names)) {
    spdlog::error("{}", error.to_string());
  }
  carry(breakers_.reload(now(), switches_of(policy), policy.daemon.max_open_switches));
}

void SwitchDesk::tick(const std::function<detect::SwitchSums(const detect::SwitchFeed&)>& sums_of) {
  breaker::Samples samples;
  for (const auto& [name, entry] : desk_) {
    samples.emplace(name, sample_of(sums_of(entry.feed)));
  }
  carry(breakers_.tick(now(), samples));
}

void SwitchDesk::heartbeat() { log_deliveries(board_.tick()); }

void SwitchDesk::reapply_words() { log_deliveries(board_.reapply_words()); }

Result<breaker::Decision> SwitchDesk::force(const std::string& name, breaker::State state, std::string actor,
                                            std::string reason, std::int64_t ttl_ns) {
  auto decision = breakers_.force(now(), name, state, std::move(actor), std::move(reason), ttl_ns);
  if (decision) {
    carry({*decision});
  }
  return decision;
}

Result<breaker::Decision> SwitchDesk::release(const std::string& name, std::string actor, std::string reason) {
  auto decision = breakers_.release(now(), name, std::move(actor), std::move(reason));
  if (decision) {
    carry({*decision});
  }
  return decision;
}

// Applications first, then the record of it.
void SwitchDesk::carry(const std::vector<breaker::Decision>& decisions) {
  log_deliveries(board_.carry(decisions));
  for (const breaker::Decision& decision : decisions) {
    if (decision.from != decision.to) {
      auto& count = transitions_[decision.switch_name].at(static_cast<std::size_t>(decision.to));
      ++(decision.enforced ? count.enforced : count.observed);
    }
    spdlog::info("switch {} {} -> {}{}: {}", decision.switch_name, breaker::to_string(decision.from),
                 breaker::to_string(decision.to), decision.enforced ? "" : " (not enforced)", decision.reason);
    evidence_.add(decision);
  }
}

void SwitchDesk::log_deliveries(const std::vector<switches::Delivery>& deliveries) {
  for (const switches::Delivery& delivery : deliveries) {
    for (const Error& error : delivery.errors) {
      spdlog::error("switch {}: {}", delivery.switch_name, error.to_string());
    }
  }
}

void SwitchDesk::flush_evidence() {
  const auto flushed = evidence_.flush();
  if (!flushed && !evidence_failing_) {
    spdlog::error("{}", flushed.error().to_string());
  } else if (flushed && evidence_failing_) {
    spdlog::info("evidence is written again");
  }
  evidence_failing_ = !flushed.has_value();
}

void SwitchDesk::reopen_evidence() {
  if (auto reopened = evidence_.reopen(); !reopened) {
    spdlog::error("{}", reopened.error().to_string());
  }
}

std::vector<SwitchCondition> SwitchDesk::conditions() const {
  std::vector<SwitchCondition> conditions;
  for (const auto& [name, one] : breakers_.breakers()) {
    const switches::SwitchEntry* seen = board_.find(name);
    conditions.push_back(
        {.name = name, .state = one.state(), .applied = seen != nullptr ? seen->state : breaker::State::kClosed});
  }
  return conditions;
}

std::vector<exporting::SwitchView> SwitchDesk::views() const {
  std::vector<exporting::SwitchView> views;
  for (const auto& [name, one] : breakers_.breakers()) {
    exporting::SwitchView view;
    view.name = name;
    view.enforce = one.policy().mode == policy::SwitchMode::kEnforce;
    view.state = one.state();
    view.allow_share = one.allow_share();
    if (const auto entry = desk_.find(name); entry != desk_.end()) {
      view.guard = entry->second.guard;
      view.functions = entry->second.feed.functions;
    }
    if (const switches::SwitchEntry* seen = board_.find(name); seen != nullptr) {
      view.applied_state = seen->state;
    }
    if (one.forced()) {
      view.forced = true;
      view.forced_by = one.forced()->actor;
      view.forced_until_realtime_ns = one.forced()->until_realtime_ns;
    }
    view.transitions = one.generation();
    if (const auto counts = transitions_.find(name); counts != transitions_.end()) {
      view.transitions_to = counts->second;
    }
    view.openings_enforced = one.counts().openings_enforced;
    view.openings_observed = one.counts().openings_observed;
    view.current = one.current();
    view.history.assign(one.history().begin(), one.history().end());
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace raceguard::app
