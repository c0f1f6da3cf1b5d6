// SPDX-License-Identifier: Apache-2.0
// The kernel-held word in running programs, by both ways of attaching.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "tests/bpf/attached.h"
#include "tests/bpf/target_process.h"

namespace raceguard::test {
namespace {

plan::PlanDifference with_word(TargetProcess& target) {
  plan::PlanDifference difference;
  difference.add_words = {switch_word(target, "checkout")};
  return difference;
}

class SwitchWord : public testing::TestWithParam<bool> {
 protected:
  static kernel::AttachmentOptions options() {
    kernel::AttachmentOptions options = small_options();
    options.allow_uprobe_multi = GetParam();
    return options;
  }
  TargetProcess target_;
};

INSTANTIATE_TEST_SUITE_P(BothWays, SwitchWord, testing::Values(true, false),
                         [](const auto& way) { return way.param ? "UprobeMulti" : "PerfEvents"; });

TEST_P(SwitchWord, TakesEachValueInRunningAndInNewProcesses) {
  kernel::Attachment attachment = open_or_throw(options());
  ASSERT_TRUE(attachment.apply(with_word(target_)).empty());
  EXPECT_EQ(target_.run("word"), 0);
  for (const unsigned value : {1U, 2U, 1U, 0U, 2U, 2U, 0U}) {
    const auto errors = attachment.set_word("checkout", value);
    ASSERT_TRUE(errors.empty()) << all_of(errors);
    EXPECT_EQ(target_.run("word"), value);
    TargetProcess newcomer;
    EXPECT_EQ(newcomer.run("word"), value);
  }
  EXPECT_TRUE(attachment.set_word("unknown", 1).empty());
  EXPECT_EQ(attachment.set_word("checkout", 3).size(), 1U);
}

TEST_P(SwitchWord, ABinaryPlannedLaterStartsWithTheSwitchesValueAndLosesItWhenRemoved) {
  kernel::Attachment attachment = open_or_throw(options());
  ASSERT_TRUE(attachment.set_word("checkout", 1).empty());
  ASSERT_TRUE(attachment.apply(with_word(target_)).empty());
  EXPECT_EQ(target_.run("word"), 1);
  plan::PlanDifference removal;
  removal.remove_words = with_word(target_).add_words;
  ASSERT_TRUE(attachment.apply(removal).empty());
  EXPECT_EQ(target_.run("word"), 0);
}

TEST_P(SwitchWord, TheKernelTakesItBackWhenTheHolderIsKilled) {
  const plan::PlanDifference difference = with_word(target_);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    auto attachment = kernel::Attachment::open(options());
    const bool good =
        attachment && attachment->apply(difference).empty() && attachment->set_word("checkout", 2).empty();
    const char answer = good ? 'y' : 'n';
    ::_exit(::write(pipe[1], &answer, 1) == 1 && ::pause() == 0 ? 0 : 1);
  }
  char answer = 0;
  ASSERT_EQ(::read(pipe[0], &answer, 1), 1);
  ::close(pipe[0]);
  ::close(pipe[1]);
  EXPECT_EQ(answer, 'y');
  EXPECT_EQ(target_.run("word"), 2);
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  EXPECT_TRUE(eventually([this] { return target_.run("word") == 0; }));
}

TEST_P(SwitchWord, AMarkerThatIsNoNopIsRefused) {
  kernel::Attachment attachment = open_or_throw(options());
  plan::PlanDifference difference = with_word(target_);
  difference.add_words[0].marker.marker_offset += 2;  // the ret
  ASSERT_TRUE(attachment.apply(difference).empty());
  const auto errors = attachment.set_word("checkout", 1);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code(), ErrorCode::kSwitchWord);
  EXPECT_EQ(target_.run("word"), 0);
}

}  // namespace
}  // namespace raceguard::test
