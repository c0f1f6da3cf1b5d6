// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_order.h"

#include <gtest/gtest.h>

namespace raceguard::detect {
namespace {

constexpr std::uint64_t kA = 0x1000;
constexpr std::uint64_t kB = 0x2000;
constexpr std::uint64_t kC = 0x3000;
constexpr std::uint64_t kGate = 0x4000;

LockOrder order(std::uint64_t held, std::uint64_t wanted, const std::set<std::uint32_t>& threads,
                std::set<std::uint64_t> gates = {}, std::uint64_t burst = 1) {
  LockOrder order{.key = {.held = held, .wanted = wanted, .held_ip = held + 1, .wanted_ip = wanted + 2},
                  .count = 1,
                  .gates = std::move(gates),
                  .threads = threads,
                  .bursts = {}};
  order.bursts[burst] = threads;
  return order;
}

LockOrder in_burst(std::uint64_t burst, LockOrder order) {
  order.bursts.clear();
  order.bursts[burst] = order.threads;
  return order;
}

std::vector<LockCycle> cycles_of(const std::vector<LockOrder>& orders) {
  LockOrderGraph graph;
  for (const LockOrder& each : orders) {
    graph.add(each);
  }
  return graph.cycles();
}

TEST(LockOrderTest, BothOrdersByTwoThreadsAreACycle) {
  const auto cycles = cycles_of({order(kA, kB, {1}), order(kB, kA, {2})});
  ASSERT_EQ(cycles.size(), 1U);
  ASSERT_EQ(cycles[0].orders.size(), 2U);
  EXPECT_EQ(cycles[0].orders[0].key.held, kA);
  EXPECT_EQ(cycles[0].orders[1].key.held, kB);
}

TEST(LockOrderTest, OneOrderIsNone) { EXPECT_TRUE(cycles_of({order(kA, kB, {1}), order(kB, kC, {2})}).empty()); }

TEST(LockOrderTest, OneThreadAloneCannotWaitForItself) {
  EXPECT_TRUE(cycles_of({order(kA, kB, {1}), order(kB, kA, {1})}).empty());
  EXPECT_EQ(cycles_of({order(kA, kB, {1}), order(kB, kA, {1, 2})}).size(), 1U);
}

TEST(LockOrderTest, ACommonGateKeepsThemApart) {
  EXPECT_TRUE(cycles_of({order(kA, kB, {1}, {kGate}), order(kB, kA, {2}, {kGate})}).empty());
  EXPECT_EQ(cycles_of({order(kA, kB, {1}, {kGate}), order(kB, kA, {2})}).size(), 1U);
}

TEST(LockOrderTest, AGateThatWasMissingOnceIsNone) {
  EXPECT_EQ(cycles_of({order(kA, kB, {1}, {kGate}), order(kA, kB, {1}), order(kB, kA, {2}, {kGate})}).size(), 1U);
}

TEST(LockOrderTest, ThreeLocksInARing) {
  const auto cycles = cycles_of({order(kA, kB, {1}), order(kB, kC, {2}), order(kC, kA, {3})});
  ASSERT_EQ(cycles.size(), 1U);
  EXPECT_EQ(cycles[0].orders.size(), 3U);
  EXPECT_TRUE(cycles_of({order(kA, kB, {1}), order(kB, kC, {2}), order(kC, kA, {1})}).empty()) << "two threads only";
}

TEST(LockOrderTest, AReaderDoesNotWaitForReaders) {
  auto one = order(kA, kB, {1});
  auto other = order(kB, kA, {2});
  one.key.wanted_for_reading = true;
  other.key.held_for_reading = true;
  EXPECT_TRUE(cycles_of({one, other}).empty());
  other.key.held_for_reading = false;
  EXPECT_EQ(cycles_of({one, other}).size(), 1U);
}

TEST(LockOrderTest, AGateSinceBeforeTheBurstMayKeepThemApart) {
  EXPECT_TRUE(cycles_of({order(kA, kB, {1}), in_burst(2, order(kB, kA, {2}))}).empty());
  EXPECT_TRUE(
      cycles_of({order(kA, kB, {1}), in_burst(2, order(kB, kA, {2})), in_burst(3, order(kA, kB, {1}))}).empty());
}

TEST(LockOrderTest, TwoThreadsInOneBurstHaveNoSuchGate) {
  EXPECT_EQ(cycles_of({order(kA, kB, {1}), in_burst(2, order(kA, kB, {1})), in_burst(2, order(kB, kA, {2}))}).size(),
            1U);
  EXPECT_EQ(cycles_of({order(kA, kB, {1, 3}), in_burst(2, order(kB, kA, {2}))}).size(), 1U)
      << "one of the two had no gate";
}

TEST(LockOrderTest, OneThreadThatDoesBothInABurstSaysNothing) {
  EXPECT_TRUE(cycles_of({order(kA, kB, {1}), order(kB, kA, {1}), in_burst(2, order(kA, kB, {2}))}).empty());
}

TEST(LockOrderTest, KeepsTheLastBursts) {
  LockOrderGraph graph;
  for (std::uint64_t burst = 1; burst <= 20; ++burst) {
    graph.add(in_burst(burst, order(kA, kB, {1})));
  }
  graph.add(in_burst(1, order(kB, kA, {2})));
  EXPECT_TRUE(graph.cycles().empty()) << "forgotten";
  graph.add(in_burst(20, order(kB, kA, {2})));
  EXPECT_EQ(graph.cycles().size(), 1U);
}

TEST(LockOrderTest, IsBounded) {
  LockOrderGraph graph(1);
  graph.add(order(kA, kB, {1}));
  graph.add(order(kB, kA, {2}));
  EXPECT_EQ(graph.size(), 1U);
  EXPECT_EQ(graph.forgotten(), 1U);
}

TEST(LockOrderTest, AnotherPlaceWithoutTheGateMakesTheCycle) {
  auto ungated = order(kA, kB, {1});
  ungated.key.wanted_ip = 0x99;
  const auto cycles = cycles_of({order(kA, kB, {1}, {kGate}), ungated, order(kB, kA, {2}, {kGate})});
  ASSERT_EQ(cycles.size(), 1U);
  EXPECT_EQ(cycles[0].orders[0].key.wanted_ip, 0x99U);
}

}  // namespace
}  // namespace raceguard::detect
