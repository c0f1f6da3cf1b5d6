// SPDX-License-Identifier: Apache-2.0
// The desk and its thread, on bursts of nobody. The fake world is the thread's once it runs: a test reads it after the
// desk's end.
#include "daemon/burst_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/unit/app/burst_world.h"

namespace raceguard::app {
namespace {

using ::testing::SizeIs;

// A source whose bursts last until they are told to end.
class EndlessSubject final : public BurstSubject {
 public:
  EndlessSubject(std::atomic<int>& begun, std::atomic<int>& ended) : begun_(begun), ended_(ended) {}
  Result<void> burst(const std::function<bool()>& goes_on) override {
    ++begun_;
    while (goes_on()) {
      std::this_thread::yield();
    }
    ++ended_;
    return {};
  }
  [[nodiscard]] std::int64_t pause_ns() const override { return 0; }
  [[nodiscard]] const detect::BurstCost& cost() const override { return cost_; }
  [[nodiscard]] Result<detect::LockReport> report(std::size_t) override { return detect::LockReport{}; }

 private:
  std::atomic<int>& begun_;
  std::atomic<int>& ended_;
  detect::BurstCost cost_;
};

class EndlessSource final : public BurstSource {
 public:
  EndlessSource(std::atomic<int>& begun, std::atomic<int>& ended) : begun_(begun), ended_(ended) {}
  Result<std::unique_ptr<BurstSubject>> open(const targets::ProcessId&, double) override {
    return std::make_unique<EndlessSubject>(begun_, ended_);
  }
  [[nodiscard]] std::vector<std::uint64_t> drops() const override { return {}; }
  void rest() override {}

 private:
  std::atomic<int>& begun_;
  std::atomic<int>& ended_;
};

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  return condition();
}

class BurstThreadTest : public ::testing::Test {
 protected:
  std::atomic<int> begun = 0;
  std::atomic<int> ended = 0;
  SystemClock clock;
  std::optional<BurstThread> thread{std::in_place, clock, [this](const Clock&) -> std::unique_ptr<BurstSource> {
                                      return std::make_unique<EndlessSource>(begun, ended);
                                    }};
};

TEST_F(BurstThreadTest, EndsABurstThatIsOnWhenTheDaemonEnds) {
  thread->set_work(BurstWorld::work({1}));
  ASSERT_TRUE(eventually([&] { return begun == 1; }));
  thread.reset();
  EXPECT_EQ(ended, 1);
}

TEST_F(BurstThreadTest, HasNoBurstWhileItIsHeld) {
  thread->set_work(BurstWorld::work({1}));
  ASSERT_TRUE(eventually([&] { return begun == 1; }));
  thread->hold(true);
  EXPECT_TRUE(eventually([&] { return ended == 1; }));
  thread->set_work(BurstWorld::work({2}));
  bool taken = false;  // each news is taken once
  ASSERT_TRUE(eventually([&] { return taken = taken || thread->take().has_value(); })) << "it took the work over";
  EXPECT_EQ(begun, 1);
  thread->hold(false);
  EXPECT_TRUE(eventually([&] { return begun == 2; }));
}

policy::Policy policy_with_bursts() {
  policy::Policy policy;
  policy::Guard guard;
  guard.name = "shop";
  guard.bursts.enabled = true;
  policy.guards = {guard};
  return policy;
}

TEST(BurstDesk, HasNoThreadWithoutTargets) {
  const BurstWorld world;
  bool made = false;
  BurstDesk desk(policy_with_bursts(), world, [&](const Clock&) -> std::unique_ptr<BurstSource> {
    made = true;
    return nullptr;
  });
  EXPECT_TRUE(desk.tick(false).empty());
  EXPECT_FALSE(made);
  EXPECT_TRUE(desk.view().wanted);
  EXPECT_THAT(desk.view().guards, SizeIs(1));
  EXPECT_FALSE(desk.view().held);
  EXPECT_TRUE(desk.tick(true).empty());
  EXPECT_TRUE(desk.view().held);
  desk.reload({});
  EXPECT_FALSE(desk.view().wanted);
  EXPECT_THAT(desk.view().guards, SizeIs(0));
}

}  // namespace
}  // namespace raceguard::app
