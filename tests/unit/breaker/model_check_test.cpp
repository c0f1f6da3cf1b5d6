// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/model_check.h"

#include <gtest/gtest.h>

#include <cmath>

namespace raceguard::breaker {
namespace {

// Targets whose CPU time a call is noisy, and whose returns cost `factor` times what is charged.
class Victim {
 public:
  explicit Victim(std::uint64_t seed) : check(seed), random_(seed * 77 + 1) {}

  double call_ns = 100'000;
  double noise = 0.05;  // standard deviation of a window's CPU time a call
  double burst = 0;     // share of the windows in which the target does ten times as much beside the calls
  double drift = 0;     // of a call's CPU time, a second
  double return_ns = 1000;
  double factor = 1;
  std::uint64_t calls_a_tick = 500;
  ModelCheck check;

  void run(double seconds) {
    const std::int64_t end_ns = now_ns_ + static_cast<std::int64_t>(seconds * kNsPerSecond);
    while (now_ns_ < end_ns) {
      const double extra = random_.next_unit() < burst ? 10 : 1;
      now_ns_ += kNsPerSecond / 10;
      const bool hidden = check.returns_hidden();
      call_ns *= 1 + drift / 10;
      const double each_ns =
          call_ns * extra * (1 + noise * std::sqrt(2.5) * normal()) + (hidden ? 0 : factor * return_ns);
      figures.calls += calls_a_tick;
      figures.returns += hidden ? 0 : calls_a_tick;
      figures.cpu_ns += static_cast<std::int64_t>(each_ns * static_cast<double>(calls_a_tick));
      figures.return_ns = return_ns;
      hidden_ticks += hidden ? 1 : 0;
      ++ticks;
      if (check.wants_figures(now_ns_)) {
        check.tick(now_ns_, figures);
      }
      wrong += check.found_wrong(4, 0.01) ? 1 : 0;
    }
  }

  ModelFigures figures;
  int wrong = 0;
  double hidden_ticks = 0;
  double ticks = 0;

 private:
  double normal() {  // Irwin-Hall
    double sum = -6;
    for (int i = 0; i < 12; ++i) {
      sum += random_.next_unit();
    }
    return sum;
  }
  RandomSource random_;
  std::int64_t now_ns_ = 1000 * kNsPerSecond;
};

TEST(ModelCheck, SaysNothingBeforeItHasSeenEnough) {
  Victim victim(1);
  victim.run(25);
  EXPECT_FALSE(victim.check.result().known);
  EXPECT_LT(victim.check.result().pairs, ModelCheck::kLeastPairs);
}

TEST(ModelCheck, FindsAModelRight) {
  Victim victim(2);
  victim.return_ns = 5000;  // 5 % of a call
  victim.noise = 0.01;
  victim.run(60);
  const auto& result = victim.check.result();
  EXPECT_TRUE(result.known);
  EXPECT_NEAR(result.felt, 1, 0.3);
  EXPECT_LE(result.lower, 1);
  EXPECT_GE(result.upper, 1);
  EXPECT_EQ(victim.wrong, 0);
}

TEST(ModelCheck, KnowsThatNoiseIsNoAnswer) {
  Victim victim(3);
  victim.return_ns = 100;  // a thousandth of a call, in noise of a twentieth
  victim.run(60);
  EXPECT_GE(victim.check.result().pairs, ModelCheck::kLeastPairs);
  EXPECT_FALSE(victim.check.result().known);
  EXPECT_EQ(victim.wrong, 0);
}

TEST(ModelCheck, FindsAModelWrongAndSaysSoAfterTwoSeries) {
  Victim victim(4);
  victim.factor = 20;  // a fifth of the target's time, and 1 % is charged
  victim.run(48);
  EXPECT_EQ(victim.wrong, 0) << "the first series is a suspicion";
  victim.run(60);
  EXPECT_EQ(victim.wrong, 1);
}

TEST(ModelCheck, WhatIsWrongAndHarmlessIsNotWrong) {
  Victim victim(5);
  victim.return_ns = 10;
  victim.factor = 20;  // 0.2 % of the target's time, and the limit is 1 %
  victim.noise = 0.0005;
  victim.run(600);
  EXPECT_GT(victim.check.result().lower, 4);
  EXPECT_EQ(victim.wrong, 0);
}

TEST(ModelCheck, DriftAndBurstsMoveItLittle) {
  Victim victim(6);
  victim.return_ns = 5000;
  victim.noise = 0.01;
  victim.burst = 0.02;
  victim.drift = 0.002;
  victim.run(60);
  EXPECT_NEAR(victim.check.result().felt, 1, 0.5);
}

TEST(ModelCheck, ANoisyMachineBlowsNoFuse) {
  for (std::uint64_t seed = 100; seed < 140; ++seed) {
    Victim victim(seed);
    victim.noise = 0.3;
    victim.burst = 0.1;
    victim.return_ns = 2000;
    victim.run(7200);
    EXPECT_EQ(victim.wrong, 0) << seed;
  }
}

TEST(ModelCheck, HidesFewReturns) {
  Victim victim(7);
  victim.run(3 * 3600);
  EXPECT_LT(victim.hidden_ticks / victim.ticks, 0.03);
}

TEST(ModelCheck, AWindowOverAChangeIsWorthNothing) {
  Victim victim(8);
  for (int i = 0; i < 600; ++i) {
    ++victim.figures.epoch;
    victim.run(0.1);
  }
  EXPECT_EQ(victim.check.result().pairs, 0U);
  EXPECT_FALSE(victim.check.returns_hidden()) << "the series is over";
}

}  // namespace
}  // namespace raceguard::breaker
