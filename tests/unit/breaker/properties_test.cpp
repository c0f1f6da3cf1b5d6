// SPDX-License-Identifier: Apache-2.0
// What must hold for every policy and every course of events, held against thousands of random schedules. The checks
// count for themselves; they do not ask the breaker's own window. A failure prints its seed:
// RG_BREAKER_SEED=N breaker_test --gtest_filter='*Properties*' runs that schedule alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <map>
#include <numeric>

#include "daemon/breaker/breaker_set.h"
#include "tests/unit/breaker/schedule.h"

namespace raceguard::breaker {
namespace {

constexpr std::uint64_t kSchedules = 3000;

// The observer of one switch: what it was given, and what it did last.
struct Witness {
  policy::SwitchPolicy policy;
  State state = State::kClosed;
  std::uint32_t generation = 0;
  std::int64_t entered_ns = 0;
  std::int64_t open_until_ns = 0;
  std::optional<Force> force;
  std::deque<std::pair<std::int64_t, Sample>> since_entry;  // samples since the state was entered

  // The most that a window of this policy can hold now.
  Totals possible(std::int64_t now_ns) const {
    Totals totals;
    for (const auto& [time_ns, sample] : since_entry) {
      if (policy.window.calls != 0 || state == State::kHalfOpen || now_ns - time_ns < policy.window.duration_ns) {
        totals.add(sample);
      }
    }
    return totals;
  }
};

class Properties {
 public:
  explicit Properties(const Schedule& schedule) : schedule_(schedule), set_(schedule.max_open, schedule.seed) {
    EXPECT_TRUE(set_.reload(at_ms(0), schedule.policies, schedule.max_open).empty());
    for (const policy::SwitchPolicy& policy : schedule.policies) {
      witnesses_[policy.name].policy = policy;
    }
  }

  std::vector<Decision> run() {
    for (const Step& step : schedule_.steps) {
      people_act(step);
      for (const auto& [name, sample] : step.samples) {
        witnesses_[name].since_entry.emplace_back(step.now.monotonic_ns, sample);
      }
      for (const Decision& decision : set_.tick(step.now, step.samples)) {
        check(decision);
        take(decision);
      }
      check_states(step);
    }
    return std::move(decisions_);
  }

 private:
  void people_act(const Step& step) {
    if (!step.force_name.empty()) {
      const auto decision = set_.force(step.now, step.force_name, step.force_state, "root", "test", step.ttl_ns);
      ASSERT_TRUE(decision);
      witnesses_[step.force_name].force = Force{.state = step.force_state,
                                                .actor = "root",
                                                .reason = "test",
                                                .until_ns = step.ttl_ns != 0 ? step.now.monotonic_ns + step.ttl_ns : 0,
                                                .until_realtime_ns = 0};
      take(*decision);
    }
    if (!step.release_name.empty()) {
      auto& force = witnesses_[step.release_name].force;
      const auto decision = set_.release(step.now, step.release_name, "root", "test");
      ASSERT_EQ(decision.has_value(), force.has_value());
      force.reset();
      if (decision) {
        take(*decision);
      }
    }
  }

  void take(const Decision& decision) {
    Witness& witness = witnesses_[decision.switch_name];
    ASSERT_EQ(decision.from, witness.state);
    ASSERT_EQ(decision.generation, witness.generation + (decision.held_back ? 0 : 1)) << "one more per transition";
    witness.generation = decision.generation;
    if (decision.to != witness.state) {
      witness.since_entry.clear();
      witness.entered_ns = decision.time_ns;
    }
    witness.state = decision.to;
    witness.open_until_ns = decision.to == State::kOpen ? decision.next_change_ns : 0;
    decisions_.push_back(decision);
  }

  void check(const Decision& decision) {
    Witness& witness = witnesses_[decision.switch_name];
    ASSERT_FALSE(decision.forced) << "a tick forces nothing";
    if (witness.force) {
      ASSERT_NE(witness.force->until_ns, 0) << "forced until released";
      ASSERT_GE(decision.time_ns, witness.force->until_ns) << "a force holds for its time-to-live";
      witness.force.reset();
      return;
    }
    ASSERT_EQ(decision.enforced, witness.policy.mode == policy::SwitchMode::kEnforce && !decision.held_back);
    if (decision.from == State::kClosed && (decision.to == State::kOpen || decision.held_back)) {
      check_evidence(decision, witness);
    }
    if (decision.from == State::kClosed && decision.to == State::kOpen && decision.enforced) {
      ++enforced_openings;
      ASSERT_LT(others_open(decision.switch_name), schedule_.max_open) << "the cap";
    }
    if (decision.from == State::kHalfOpen && decision.to == State::kOpen) {
      const Totals trial = witness.possible(decision.time_ns);
      ASSERT_TRUE(trial.slow + trial.errors + trial.waits > 0) << "no trial fails without evidence";
    }
    if (decision.to == State::kOpen) {
      check_time_open(decision, witness.policy);
    }
    if (decision.from == State::kOpen) {
      ASSERT_GE(decision.time_ns, witness.open_until_ns);
    }
    witness.force.reset();
  }

  void check_evidence(const Decision& decision, const Witness& witness) {
    const Totals possible = witness.possible(decision.time_ns);
    bool justified = false;
    for (const Measurement& seen : decision.evidence) {
      const bool by_locks = seen.what == "lock_wait_p99_seconds";
      const std::uint64_t minimum = by_locks ? witness.policy.minimum_waits : witness.policy.minimum_calls;
      ASSERT_LE(seen.samples, by_locks ? possible.waits : possible.calls) << seen.what << ": the window forgets";
      const std::uint64_t bad = by_locks ? possible.waits : seen.what == "slow_ratio" ? possible.slow : possible.errors;
      justified |= seen.samples >= minimum && seen.value >= seen.threshold && bad > 0;
    }
    ASSERT_TRUE(justified) << decision.reason;
  }

  void check_time_open(const Decision& decision, const policy::SwitchPolicy& policy) {
    const auto time_ns = static_cast<double>(decision.next_change_ns - decision.time_ns);
    ASSERT_GE(time_ns, std::floor(static_cast<double>(policy.open_for_ns) * (1 - policy.jitter)));
    ASSERT_LE(time_ns, static_cast<double>(policy.open_for_max_ns) * (1 + policy.jitter));
  }

  std::uint32_t others_open(const std::string& name) const {
    return static_cast<std::uint32_t>(std::ranges::count_if(witnesses_, [&](const auto& entry) {
      const Witness& witness = entry.second;
      return entry.first != name && witness.state != State::kClosed &&
             (witness.force || witness.policy.mode == policy::SwitchMode::kEnforce);
    }));
  }

  void check_states(const Step& step) {
    for (const auto& [name, witness] : witnesses_) {
      const Breaker* breaker = set_.find(name);
      ASSERT_EQ(breaker->state(), witness.state) << "no change of state without a decision";
      if (witness.force) {
        ASSERT_EQ(breaker->state(), witness.force->state) << "the forced state wins";
        ASSERT_TRUE(witness.force->until_ns == 0 || step.now.monotonic_ns < witness.force->until_ns) << "and ends";
      } else if (witness.state == State::kHalfOpen) {
        ASSERT_LT(step.now.monotonic_ns, witness.entered_ns + witness.policy.half_open_deadline_ns) << "never stuck";
      } else if (witness.state == State::kOpen) {
        ASSERT_LT(step.now.monotonic_ns, witness.open_until_ns) << "never stuck";
      }
    }
  }

  const Schedule& schedule_;
  BreakerSet set_;
  std::map<std::string, Witness> witnesses_;
  std::vector<Decision> decisions_;

 public:
  std::uint64_t enforced_openings = 0;
};

std::string as_text(const std::vector<Decision>& decisions) {
  std::string text;
  for (const Decision& decision : decisions) {
    text += decision.switch_name + " " + decision.reason + " " + std::to_string(decision.time_ns) + " " +
            std::to_string(decision.next_change_ns) + " " + std::to_string(decision.generation) + "\n";
  }
  return text;
}

class BreakerProperties : public testing::TestWithParam<bool> {};

TEST_P(BreakerProperties, HoldForRandomSchedules) {
  const char* chosen = std::getenv("RG_BREAKER_SEED");
  const std::uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1;
  const std::uint64_t last = chosen != nullptr ? first : kSchedules;
  std::uint64_t decisions = 0;
  std::uint64_t openings = 0;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    const Schedule schedule = ScheduleMaker(seed).make(GetParam());
    Properties once(schedule);
    const std::vector<Decision> made = once.run();
    EXPECT_EQ(as_text(made), as_text(Properties(schedule).run())) << "equal inputs, equal decisions";
    decisions += made.size();
    openings += once.enforced_openings;
    if (HasFailure()) {
      ADD_FAILURE() << "RG_BREAKER_SEED=" << seed;
    }
  }
  if (chosen == nullptr && !HasFailure()) {
    EXPECT_GT(decisions, 10 * kSchedules) << "schedules that do nothing prove nothing";
    EXPECT_GT(openings, kSchedules);
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutPeople, BreakerProperties, testing::Bool());

}  // namespace
}  // namespace raceguard::breaker
