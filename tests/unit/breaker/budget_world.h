// SPDX-License-Identifier: Apache-2.0
// A group of targets whose functions are called at fixed rates, with probes that go where the governor says: what is
// exempt costs nothing.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "daemon/breaker/governor.h"
#include "tests/unit/breaker/builders.h"

namespace raceguard::breaker {

struct WorldFunction {
  double cost_share = 0;  // of the CPU time of the targets, while it is probed
  double error_ratio = 0;
  double calls_per_second = 1000;
  double returns_part = 0;        // of cost_share, what a sample lessens; 0: cannot be sampled
  bool judged_elsewhere = false;  // a switch judges its errors
};

class BudgetWorld {
 public:
  explicit BudgetWorld(double budget, GovernorOptions options = {}, std::uint64_t seed = 1) : governor_(options, seed) {
    governor_.set_budgets({{"shop", budget}});
  }

  std::map<std::string, WorldFunction> functions;
  double cpus = 1;  // that the targets use
  double handling_ns = 2000;
  std::int64_t sample_ns = 100 * kNsPerMs;

  // One sample; its steps.
  std::vector<BudgetStep> step() {
    now_.monotonic_ns += sample_ns;
    now_.realtime_ns += sample_ns;
    const double seconds = static_cast<double>(sample_ns) / kNsPerSecond;
    GroupSpending group{.elapsed_ns = sample_ns, .cpu_ns = static_cast<std::int64_t>(cpus * seconds * kNsPerSecond)};
    Handling handling;
    for (const auto& [name, function] : functions) {
      if (!probed(name)) {
        continue;
      }
      const double calls = function.calls_per_second * seconds;
      const double seen = return_share(level_of(name));
      const double cost_ns = function.cost_share * cpus * seconds * kNsPerSecond;
      const double returns_ns = cost_ns * function.returns_part * seen;
      group.functions.push_back(
          {.key = name,
           .name = name,
           .cost_ns = static_cast<std::int64_t>(cost_ns * (1 - function.returns_part) + returns_ns),
           .returns_ns = static_cast<std::int64_t>(returns_ns),
           .can_sample = function.returns_part > 0,
           .returns = static_cast<std::uint64_t>(calls * seen),
           .errors = static_cast<std::uint64_t>(calls * seen * function.error_ratio),
           .exempt_for_errors = !function.judged_elsewhere});
      handling.hits += static_cast<std::uint64_t>(2 * calls);
      spent_ns += static_cast<double>(group.functions.back().cost_ns);
    }
    handling.total_ns = static_cast<std::int64_t>(handling_ns * static_cast<double>(handling.hits));
    cpu_ns += static_cast<double>(group.cpu_ns);
    auto steps = governor_.tick(now_, sample_ns, {{"shop", group}}, handling);
    all.insert(all.end(), steps.begin(), steps.end());
    return steps;
  }

  // Until a step comes, for `seconds` at most; what came.
  std::vector<BudgetStep> run(double seconds) {
    const std::int64_t end_ns = now_.monotonic_ns + static_cast<std::int64_t>(seconds * kNsPerSecond);
    while (now_.monotonic_ns < end_ns) {
      if (auto steps = step(); !steps.empty()) {
        return steps;
      }
    }
    return {};
  }

  bool probed(const std::string& name) const {
    if (governor_.fuse().state() == HandlingFuse::State::kOpen) {
      return false;
    }
    const auto& known = governor_.groups().at("shop").functions();
    const auto found = known.find(name);
    return found == known.end() || found->second.state != GroupBudget::State::kExempt;
  }
  std::uint8_t level_of(const std::string& name) const {
    const auto& known = governor_.groups().at("shop").functions();
    const auto found = known.find(name);
    return found == known.end() ? kSeesAll : found->second.level;
  }
  Governor& governor() { return governor_; }
  std::int64_t now_ns() const { return now_.monotonic_ns; }

  double spent_ns = 0;
  double cpu_ns = 0;
  std::vector<BudgetStep> all;

 private:
  Governor governor_;
  Instant now_ = at_ms(0);
};

}  // namespace raceguard::breaker
