// SPDX-License-Identifier: Apache-2.0
// Guarded functions on the running kernel, by both ways of attaching.
#include "daemon/kernel/map_access.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/function_exits.h"
#include "raceguard/clock.h"
#include "tests/bpf/attached.h"
#include "tests/bpf/target_process.h"

namespace raceguard::test {
namespace {

enum class Way { kSession, kMulti, kPerfEvents };

class Functions : public testing::TestWithParam<Way> {
 protected:
  static kernel::AttachmentOptions options() {
    kernel::AttachmentOptions options = small_options();
    options.allow_uprobe_multi = GetParam() != Way::kPerfEvents;
    options.allow_uprobe_session = GetParam() == Way::kSession;
    return options;
  }
  void attach(const std::string& function, std::uint32_t id = 3) { attach(function_probe(target_, function, id)); }
  void attach(const plan::FunctionProbe& probe) {
    plan::PlanDifference difference;
    difference.add_targets = {target_entry(target_.pid())};
    difference.add_functions = {probe};
    const auto errors = attachment_.apply(difference);
    ASSERT_TRUE(errors.empty()) << all_of(errors);
  }

  TargetProcess target_;
  kernel::Attachment attachment_ = open_or_throw(options());
};

// Where the kernel has no sessions, or no uprobe_multi, the next way is taken, and tested twice.
INSTANTIATE_TEST_SUITE_P(AllWays, Functions, testing::Values(Way::kSession, Way::kMulti, Way::kPerfEvents),
                         [](const auto& way) {
                           return way.param == Way::kSession ? "Session"
                                  : way.param == Way::kMulti ? "UprobeMulti"
                                                             : "PerfEvents";
                         });

TEST_P(Functions, CountsCallsReturnsAndErrorsExactly) {
  plan::FunctionProbe probe = function_probe(target_, "work", 3);
  probe.error = {policy::ErrorTest{policy::Comparison::kLess, 0, 32, true}};
  attach(probe);
  target_.run("work 1000");
  const auto figures = figures_of(attachment_, 3);
  EXPECT_EQ(figures.calls, 1000U);
  EXPECT_EQ(figures.returns, 1000U);
  EXPECT_EQ(figures.errors, 100U);
  std::uint64_t in_buckets = 0;
  for (const auto count : figures.histogram) {
    in_buckets += count;
  }
  EXPECT_EQ(in_buckets, 1000U);
  EXPECT_EQ(dropped(attachment_, RG_DROP_CALL_UNMATCHED), 0U);
}

TEST_P(Functions, WhereItReturnsServesAsWellAsAReturnProbe) {
  plan::FunctionProbe probe = function_probe(target_, "work", 3);
  probe.error = {policy::ErrorTest{policy::Comparison::kLess, 0, 32, true}};
  const auto file = symbols::ElfFile::open(target_.binary());
  ASSERT_TRUE(file) << file.error().to_string();
  const auto returns = symbols::find_returns(*file, file->find_functions("work").value().front());
  ASSERT_TRUE(returns) << returns.error().to_string();
  probe.returns = *returns;
  attach(probe);
  target_.run("work 1000");
  const auto figures = figures_of(attachment_, 3);
  EXPECT_EQ(figures.calls, 1000U);
  EXPECT_EQ(figures.returns, 1000U);
  EXPECT_EQ(figures.errors, 100U);
  EXPECT_EQ(dropped(attachment_, RG_DROP_CALL_UNMATCHED), 0U);
  plan::PlanDifference gone;
  gone.remove_functions = {3};
  ASSERT_TRUE(attachment_.apply(gone).empty());
  EXPECT_EQ(attachment_.attached_functions(), 0U);
}

TEST_P(Functions, ASampleOfTheReturnsIsSeenAndEveryCallIsCounted) {
  plan::FunctionProbe probe = function_probe(target_, "work", 3);
  probe.error = {policy::ErrorTest{policy::Comparison::kLess, 0, 32, true}};
  probe.return_shift = 2;
  attach(probe);
  target_.run("work 8000");
  const auto some = figures_of(attachment_, 3);
  EXPECT_EQ(some.calls, 8000U);
  EXPECT_EQ(some.returns, some.awaited);
  EXPECT_NEAR(static_cast<double>(some.awaited), 2000, 8 * 39) << "eight standard deviations";
  EXPECT_NEAR(static_cast<double>(some.errors), static_cast<double>(some.returns) / 10, 8 * 14);

  plan::PlanDifference change;
  probe.return_shift = RG_RETURNS_NONE;
  change.update_functions = {probe};
  ASSERT_TRUE(attachment_.apply(change).empty());
  target_.run("work 1000");
  EXPECT_EQ(figures_of(attachment_, 3).calls, 9000U);
  EXPECT_EQ(figures_of(attachment_, 3).awaited, some.awaited);

  change.update_functions[0].return_shift = 0;
  ASSERT_TRUE(attachment_.apply(change).empty());
  target_.run("work 1000");
  EXPECT_EQ(figures_of(attachment_, 3).returns, some.returns + 1000);
  EXPECT_EQ(dropped(attachment_, RG_DROP_CALL_UNMATCHED), 0U);
  EXPECT_EQ(dropped(attachment_, RG_DROP_CALL_EXPIRED), 0U);
}

TEST_P(Functions, TheProgramTimesItselfNowAndThen) {
  attach("work");
  target_.run("work 3200");
  const auto figures = figures_of(attachment_, 3);
  EXPECT_LE(figures.timed, 3200U / RG_TIMED_EACH);
  EXPECT_GE(figures.timed, 3200U / RG_TIMED_EACH / 2) << "some returns of each CPU come before its first";
  EXPECT_GT(figures.timed_ns, 0U);
  EXPECT_LE(figures.timed_ns, figures.timed * RG_TIMED_MAX_NS);
}

TEST_P(Functions, MeasuresLatencyAndCountsSlowCalls) {
  plan::FunctionProbe probe = function_probe(target_, "slow", 3);
  probe.slow_ns = 20 * kNsPerMs;
  attach(probe);
  target_.run("slow 5 30000");
  target_.run("slow 5 1000");
  const auto figures = figures_of(attachment_, 3);
  EXPECT_GE(figures.slow, 5U);  // a busy machine may make a short one slow
  EXPECT_EQ(figures.calls, 10U);
  EXPECT_GE(figures.max_ns, static_cast<rg_u64>(30 * kNsPerMs));
  EXPECT_GE(figures.total_ns, static_cast<rg_u64>(155 * kNsPerMs));
}

TEST_P(Functions, RecursionIsKeptApartByFrame) {
  attach("recurse");
  EXPECT_EQ(target_.run("recurse 50"), 51);
  const auto figures = figures_of(attachment_, 3);
  EXPECT_EQ(figures.calls, 51U);
  EXPECT_EQ(figures.returns, 51U);
}

TEST_P(Functions, CallsLeftByLongjmpOrThreadExitExpireAndAreCounted) {
  attach("jump_out");
  target_.run("jump 5");
  EXPECT_EQ(figures_of(attachment_, 3).calls, 5U);
  EXPECT_EQ(figures_of(attachment_, 3).returns, 0U);
  // Four were found by the next call in the same frame; the last one is old at any time from now.
  EXPECT_EQ(dropped(attachment_, RG_DROP_CALL_EXPIRED), 4U);
  EXPECT_EQ(attachment_.expire_calls(SystemClock().monotonic_ns(), 60 * kNsPerSecond).value(), 0U);
  EXPECT_EQ(attachment_.expire_calls(SystemClock().monotonic_ns() + 61 * kNsPerSecond, 60 * kNsPerSecond).value(), 1U);
  EXPECT_EQ(dropped(attachment_, RG_DROP_CALL_EXPIRED), 5U);

  attach("exit_thread", 4);
  target_.run("exit_threads 7");
  EXPECT_EQ(figures_of(attachment_, 4).calls, 7U);
  EXPECT_EQ(figures_of(attachment_, 4).returns, 0U);
  // A thread that was joined may be on its way out of the kernel still: the join is told before the thread is gone.
  std::size_t expired = 0;
  EXPECT_TRUE(eventually([&] {
    expired += attachment_.expire_calls(SystemClock().monotonic_ns(), 60 * kNsPerSecond).value();
    return expired >= 7;
  })) << expired
      << " expired";
  EXPECT_EQ(expired, 7U);
}

TEST_P(Functions, AnotherProcessOfTheSameFileIsCountedApart) {
  TargetProcess other;
  attach("work");
  other.run("work 500");
  target_.run("work 20");
  EXPECT_EQ(figures_of(attachment_, 3).calls, 20U);
  EXPECT_EQ(figures_of(attachment_, 3).foreign, 500U) << "it pays for the probe";
}

TEST_P(Functions, AChildOfATargetIsATargetAtOnce) {
  attach("work");
  target_.run("fork 33");
  EXPECT_EQ(figures_of(attachment_, 3).calls, 33U);
  EXPECT_EQ(figures_of(attachment_, 3).returns, 33U);
}

TEST_P(Functions, AnotherImageIsNoTargetUntilTheDaemonSaysSo) {
  attach("work");
  EXPECT_EQ(target_.run("exec"), 0);
  target_.run("work 10");
  EXPECT_EQ(figures_of(attachment_, 3).calls, 0U);
  plan::PlanDifference again;
  again.add_targets = {target_entry(target_.pid())};
  ASSERT_TRUE(attachment_.apply(again).empty());
  target_.run("work 10");
  EXPECT_EQ(figures_of(attachment_, 3).calls, 10U);
}

TEST_P(Functions, OneCanBeRemovedAndItsSlotUsedAgain) {
  attach("work", 3);
  attach("recurse", 4);
  target_.run("work 5");
  plan::PlanDifference removal;
  removal.remove_functions = {3};
  ASSERT_TRUE(attachment_.apply(removal).empty());
  target_.run("work 5");
  target_.run("recurse 9");
  EXPECT_EQ(attachment_.attached_functions(), 1U);
  EXPECT_EQ(figures_of(attachment_, 4).calls, 10U);
  attach("work", 3);
  target_.run("work 2");
  EXPECT_EQ(figures_of(attachment_, 3).calls, 2U) << "the slot starts at zero";
  EXPECT_EQ(dropped(attachment_, RG_DROP_FUNCTION_UNKNOWN), 0U);
}

TEST_P(Functions, AFullMapOfCallsIsCountedExactly) {
  kernel::AttachmentOptions tiny = options();
  tiny.max_calls_in_flight = 10;
  attachment_ = open_or_throw(tiny);
  attach("recurse");
  target_.run("recurse 49");
  const auto figures = figures_of(attachment_, 3);
  EXPECT_EQ(figures.calls, 50U);
  EXPECT_EQ(figures.returns, 10U);
  EXPECT_EQ(dropped(attachment_, RG_DROP_CALLS_FULL), 40U);
  EXPECT_EQ(dropped(attachment_, RG_DROP_CALL_UNMATCHED), attachment_.uses_uprobe_session() ? 0U : 40U)
      << "their returns find nothing; a session spares them";
}

TEST_P(Functions, AFileThatIsNotThePlannedOneIsNotProbed) {
  plan::FunctionProbe probe = function_probe(target_, "work", 3);
  probe.binary.build_id = "00";
  plan::PlanDifference difference;
  difference.add_functions = {probe};
  auto errors = attachment_.apply(difference);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code(), ErrorCode::kTargetBinaryReplaced) << errors[0].to_string();
  ASSERT_EQ(attachment_.refused_functions().count(3), 1U);
  EXPECT_EQ(attachment_.refused_functions().at(3).to_string(), errors[0].to_string());
  difference.add_functions[0].binary = binary_id("/bin/true");
  errors = attachment_.apply(difference);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code(), ErrorCode::kTargetBinaryReplaced) << errors[0].to_string();
  EXPECT_EQ(attachment_.attached_functions(), 0U);
  attach("work");
  EXPECT_TRUE(attachment_.refused_functions().empty()) << "only those of the last apply()";
  EXPECT_EQ(attachment_.attached_functions(), 1U);
}

}  // namespace
}  // namespace raceguard::test
