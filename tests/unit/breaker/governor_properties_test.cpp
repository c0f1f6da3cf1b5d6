// SPDX-License-Identifier: Apache-2.0
// What must hold for every budget and every course of rates, held against random schedules.
// RG_BREAKER_SEED=N breaker_test --gtest_filter='GovernorProperties*' runs that schedule alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "tests/unit/breaker/budget_world.h"

namespace raceguard::breaker {
namespace {

using Kind = BudgetStep::Kind;
constexpr std::uint64_t kSchedules = 100;
constexpr int kSteps = 4000;

struct Course {
  double budget = 0;
  std::vector<BudgetStep> steps;
  double overspent_ns = 0;  // beyond the budget, the worst at any time
  double credit_ns = 0;
  std::uint64_t exemptions = 0;
};

double unit(std::mt19937_64& random) { return static_cast<double>(random() % 10'000) / 10'000; }

void change_rates(BudgetWorld& world, std::mt19937_64& random) {
  for (auto& [name, function] : world.functions) {
    if (random() % 200 == 0) {
      function.cost_share = random() % 4 == 0 ? 0.5 * unit(random) : 0.01 * unit(random);
    }
  }
}

// A step must follow from the state before it, and each exemption must name a value above its threshold.
void check(const BudgetStep& step, std::map<std::string, const BudgetStep*>& last, const GovernorOptions& options) {
  const BudgetStep* before = last[step.key];
  const bool was_exempt = before != nullptr && before->kind == Kind::kExempt;
  const bool was_on_trial = before != nullptr && before->kind == Kind::kTry;
  switch (step.kind) {
    case Kind::kSample:
      ASSERT_FALSE(was_exempt);
      ASSERT_FALSE(was_on_trial) << "it is judged as it is";
      ASSERT_LT(step.return_share, before == nullptr ? 1 : before->return_share + 1e-9);
      break;
    case Kind::kSampleMore:
      ASSERT_TRUE(before != nullptr && !was_exempt && !was_on_trial);
      break;
    case Kind::kExempt: {
      ASSERT_FALSE(was_exempt) << "exempt already";
      ASSERT_FALSE(step.evidence.empty());
      const auto above = [](const Measurement& one) { return one.value > one.threshold; };
      ASSERT_TRUE(std::ranges::any_of(step.evidence, above)) << step.reason;
      ASSERT_GE(step.next_change_ns - step.time.monotonic_ns,
                static_cast<std::int64_t>(0.9 * static_cast<double>(options.exempt_for_ns)) - 1);
      break;
    }
    case Kind::kTry:
      ASSERT_TRUE(was_exempt);
      ASSERT_GE(step.time.monotonic_ns, before->next_change_ns) << "not before its time";
      break;
    case Kind::kRestore:
      ASSERT_TRUE(was_on_trial);
      break;
    default:
      FAIL() << "no fuse here";
  }
  last[step.key] = &step;
}

Course run(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const GovernorOptions options{.exempt_for_ns = static_cast<std::int64_t>(1 + random() % 60) * kNsPerSecond};
  Course course{.budget = 0.002 + 0.05 * unit(random)};
  BudgetWorld world(course.budget, options, seed);
  world.cpus = 0.1 + 4 * unit(random);
  const std::uint64_t functions = 1 + random() % 8;
  for (std::uint64_t i = 0; i < functions; ++i) {
    world.functions["f" + std::to_string(i)] = {.cost_share = 0.02 * unit(random),
                                                .returns_part = random() % 2 == 0 ? 0 : 0.66};
  }
  double debt_ns = 0;
  for (int i = 0; i < kSteps; ++i) {
    change_rates(world, random);
    world.sample_ns = static_cast<std::int64_t>(random() % 3 == 0 ? 1000 : 100) * kNsPerMs;
    const double spent_before = world.spent_ns;
    const double cpu_before = world.cpu_ns;
    const auto steps = world.step();
    const double allowed_ns = course.budget * (world.cpu_ns - cpu_before);
    course.credit_ns = course.budget * world.cpus * static_cast<double>(GroupBudget::kCreditNs);
    debt_ns = std::max(0.0, debt_ns + world.spent_ns - spent_before - allowed_ns);
    const bool shed = std::ranges::any_of(
        steps, [](const BudgetStep& step) { return step.kind == Kind::kExempt || step.kind == Kind::kSample; });
    course.overspent_ns = std::max(course.overspent_ns, shed ? 0 : debt_ns);
    debt_ns = shed ? 0 : debt_ns;
  }
  course.steps = world.all;
  std::map<std::string, const BudgetStep*> last;
  for (const BudgetStep& step : course.steps) {
    check(step, last, options);
    course.exemptions += step.kind == Kind::kExempt ? 1 : 0;
  }
  return course;
}

std::string as_text(const Course& course) {
  std::string text;
  for (const BudgetStep& step : course.steps) {
    text += step.key + " " + step.reason + " " + std::to_string(step.time.monotonic_ns) + " " +
            std::to_string(step.next_change_ns) + "\n";
  }
  return text;
}

TEST(GovernorProperties, HoldForRandomSchedules) {
  const char* chosen = std::getenv("RG_BREAKER_SEED");
  const std::uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1;
  const std::uint64_t last = chosen != nullptr ? first : kSchedules;
  std::uint64_t exemptions = 0;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    const Course course = run(seed);
    EXPECT_LE(course.overspent_ns, course.credit_ns * 1.0001) << "nobody owes more than the credit and stays";
    EXPECT_EQ(as_text(course), as_text(run(seed))) << "equal inputs, equal steps";
    exemptions += course.exemptions;
    if (HasFailure()) {
      ADD_FAILURE() << "RG_BREAKER_SEED=" << seed;
    }
  }
  if (chosen == nullptr && !HasFailure()) {
    EXPECT_GT(exemptions, 5 * kSchedules) << "schedules that do nothing prove nothing";
  }
}

}  // namespace
}  // namespace raceguard::breaker
