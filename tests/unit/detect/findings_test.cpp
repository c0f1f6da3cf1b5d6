// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/findings.h"

#include <gmock/gmock.h>

#include "daemon/detect/switch_sums.h"
#include "tests/unit/detect/samples.h"

namespace raceguard::detect {
namespace {

constexpr std::uint64_t kLock = 0x5000;
constexpr std::int64_t kNow = 100 * kNsPerSecond;

class Findings : public ::testing::Test {
 protected:
  Findings()
      : locks({.data_symbol =
                   [](const LockId& id) {
                     return std::optional<std::string>(id.address == kLock ? "inventory_lock" : "queue");
                   },
               .guard_of = [](pid_t pid) { return pid == 7 ? "shop" : "other"; }}) {
    functions.define(
        {.function_id = 3, .guard = "shop", .name = "recommend", .symbol = "recommend(int)", .slow_ns = 20'000'000});
  }
  std::vector<Finding> detect() { return detect_findings(functions, locks, kNow, 42); }
  LockTable locks;
  FunctionTable functions;
};

TEST_F(Findings, AContendedLockIsToldInOneSentence) {
  LockInput reading = samples::lock(kLock, 100, 48'000'000);
  reading.counters.waiters = 12;
  locks.update(kNow, std::span(&reading, 1));
  locks.add(samples::holder(samples::lock_stack(samples::site("restock(int, char*)", "/srv/shop", 88)), kLock));
  const auto found = detect();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].kind, Finding::Kind::kContention);
  EXPECT_EQ(found[0].subject, "inventory_lock");
  EXPECT_EQ(found[0].guard, "shop");
  EXPECT_EQ(
      found[0].text,
      "100 waits for inventory_lock (held by restock() at server.cpp:88) in the last 10 s, up to 12 threads at once: "
      "48 ms each on average, up to 48 ms, together 48 % of the time of one thread");
}

TEST_F(Findings, FewShortOrRareWaitsAreNone) {
  const LockInput few[] = {samples::lock(kLock, 19, 500'000'000)};
  locks.update(kNow, few);
  EXPECT_TRUE(detect().empty());
}

TEST_F(Findings, ShortWaitsAreNoneHoweverMany) {
  const LockInput brief[] = {samples::lock(kLock, 100'000, 100'000)};
  locks.update(kNow, brief);
  EXPECT_TRUE(detect().empty());
}

TEST_F(Findings, WaitsThatTookLittleOfTheTimeAreNone) {
  const LockInput little[] = {samples::lock(kLock, 20, 10'000'000)};
  locks.update(kNow, little);
  EXPECT_TRUE(detect().empty());
}

TEST_F(Findings, IdlingIsNoContention) {
  LockInput idle = samples::lock(kLock, 1000, kNsPerSecond);
  idle.counters.wait_class = RG_WAIT_CONDITION;
  locks.update(kNow, std::span(&idle, 1));
  EXPECT_TRUE(detect().empty());
}

TEST_F(Findings, ASlowAndFailingFunctionIsTwoFindings) {
  const FunctionInput reading[] = {samples::function(3, 1204, 734, 241, 48'000'000)};
  functions.update(kNow, reading);
  const auto found = detect();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(
      found[0].text,
      "recommend was slow (20 ms or longer) in 61 % of 1,204 calls in the last 10 s: 48 ms on average, up to 48 ms");
  EXPECT_EQ(found[1].kind, Finding::Kind::kFailingFunction);
  EXPECT_EQ(found[1].text, "recommend failed in 20 % of 1,204 calls in the last 10 s (241 failures)");
}

TEST_F(Findings, TheBookCountsAndTellsNewsOnce) {
  FindingBook book(2);
  const auto finding = [](const std::string& subject, std::int64_t seen_ns) {
    Finding made;
    made.subject = subject;
    made.first_seen_ns = made.last_seen_ns = seen_ns;
    made.count = 1;
    return made;
  };
  EXPECT_EQ(book.merge({finding("a", 1)}).size(), 1U);
  EXPECT_TRUE(book.merge({finding("a", 2)}).empty());
  EXPECT_EQ(book.list().at(0).count, 2U);
  EXPECT_EQ(book.list().at(0).first_seen_ns, 1);
  EXPECT_EQ(book.merge({finding("a", 2 + 60 * kNsPerSecond)}).size(), 1U) << "back after a minute is news";
  (void)book.merge({finding("b", 5)});
  (void)book.merge({finding("c", 6)});
  const auto list = book.list();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].subject, "a");
  EXPECT_EQ(list[1].subject, "c") << "b was not seen for longest";
}

TEST_F(Findings, SlotsGivenToAnotherFunctionStartFromNothing) {
  const FunctionInput before[] = {samples::function(3, 100, 10, 0, 1000)};
  functions.update(kNow, before);
  functions.define({.function_id = 3, .guard = "shop", .name = "pay", .symbol = "pay()"});
  const FunctionInput after[] = {samples::function(3, 4, 0, 0, 1000), samples::function(9, 4, 0, 0, 1000)};
  functions.update(kNow, after);
  const auto figures = functions.figures();
  ASSERT_EQ(figures.size(), 1U) << "slot 9 was never defined";
  EXPECT_EQ(figures[0].name, "pay");
  EXPECT_EQ(figures[0].calls, 4U);
  EXPECT_EQ(functions.last_tick().at(0).sums.calls, 4U);
}

TEST_F(Findings, NewThresholdsKeepAFunctionsFigures) {
  const FunctionInput before[] = {samples::function(3, 100, 10, 0, 1000)};
  functions.update(kNow, before);
  functions.define({.function_id = 3, .guard = "shop", .name = "recommend", .symbol = "recommend(int)", .slow_ns = 5});
  EXPECT_EQ(functions.figures().at(0).calls, 100U);
}

TEST_F(Findings, ASwitchIsFedByItsFunctionsAndLocksOnly) {
  functions.define({.function_id = 4, .guard = "shop", .name = "pay", .symbol = "pay()"});
  const FunctionInput calls[] = {samples::function(3, 10, 4, 1, 1000), samples::function(4, 100, 50, 50, 1000)};
  functions.update(kNow, calls);
  const LockInput waits[] = {samples::lock(kLock, 5, 1000), samples::lock(0x6000, 7, 1000),
                             samples::lock(kLock, 100, 1000, 99)};
  locks.update(kNow, waits);
  const SwitchSums sums =
      switch_sums({.guard = "shop", .functions = {"recommend"}, .locks = {"inv*"}}, functions, locks);
  EXPECT_EQ(sums.calls, 10U);
  EXPECT_EQ(sums.slow, 4U);
  EXPECT_EQ(sums.errors, 1U);
  EXPECT_EQ(sums.waits, 5U);
  EXPECT_EQ(sums.lock_waits.total(), 5U);
  EXPECT_EQ(switch_sums({.guard = "shop"}, functions, locks).waits, 12U) << "no glob: all locks of the guard";
  functions.update(kNow, calls);
  EXPECT_EQ(switch_sums({.guard = "shop", .functions = {"recommend"}}, functions, locks).calls, 0U)
      << "a tick counts once";
}

}  // namespace
}  // namespace raceguard::detect
