// SPDX-License-Identifier: Apache-2.0
// Fork, exec and exit of processes, as the ring tells them.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "tests/bpf/attached.h"
#include "tests/bpf/target_process.h"

namespace raceguard::test {
namespace {

class TaskLife : public testing::Test {
 protected:
  void watch(const TargetProcess& target) {
    plan::PlanDifference difference;
    difference.add_targets = {target_entry(target.pid())};
    const auto errors = attachment_.apply(difference);
    ASSERT_TRUE(errors.empty()) << all_of(errors);
    drain();
    records_.clear();  // the exec that started it
  }
  // Waits for a record of this process.
  rg_record_process wait_for(rg_u32 event, pid_t tgid) {
    rg_record_process found{};
    EXPECT_TRUE(eventually([&] {
      drain();
      for (const rg_record_process& record : records_) {
        if (record.event == event && record.tgid == static_cast<rg_u32>(tgid)) {
          found = record;
          return true;
        }
      }
      return false;
    })) << "no event "
        << event << " of process " << tgid;
    return found;
  }
  void drain() {
    const auto drained = attachment_.drain([this](std::span<const std::byte> data) {
      if (data.size() == sizeof(rg_record_process)) {
        std::memcpy(&records_.emplace_back(), data.data(), data.size());
      }
    });
    ASSERT_TRUE(drained.has_value());
  }

  kernel::Attachment attachment_ = open_or_throw(small_options());
  std::vector<rg_record_process> records_;
};

TEST_F(TaskLife, AForkOfATargetIsReportedWithItsParentAndItsExitWithoutBeingAdded) {
  TargetProcess target;
  watch(target);
  const auto child = static_cast<pid_t>(target.run("fork 1"));
  const rg_record_process fork = wait_for(RG_PROCESS_FORK, child);
  EXPECT_EQ(fork.parent_tgid, static_cast<rg_u32>(target.pid()));
  EXPECT_EQ(fork.was_target, 1U);
  EXPECT_EQ(fork.uid, ::getuid());
  EXPECT_EQ(wait_for(RG_PROCESS_EXIT, child).was_target, 1U);
  const pid_t pid = target.pid();
  target.kill_and_wait();
  wait_for(RG_PROCESS_EXIT, pid);
}

TEST_F(TaskLife, EveryExecIsReportedWithItsNewName) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  }
  ::waitpid(child, nullptr, 0);
  const rg_record_process exec = wait_for(RG_PROCESS_EXEC, child);
  EXPECT_STREQ(exec.comm, "true");
  EXPECT_EQ(exec.was_target, 0U);
  for (const rg_record_process& record : records_) {
    EXPECT_FALSE(record.tgid == static_cast<rg_u32>(child) && record.event != RG_PROCESS_EXEC) << "it was no target";
  }
}

TEST_F(TaskLife, ATargetThatExecsIsReportedAsOneThatWas) {
  TargetProcess target;
  watch(target);
  target.run("exec");
  EXPECT_EQ(wait_for(RG_PROCESS_EXEC, target.pid()).was_target, 1U);
}

TEST_F(TaskLife, AThreadsEndIsNoProcessesEnd) {
  TargetProcess target;
  watch(target);
  target.run("exit_threads 5");
  target.run("convoy 1 1");
  drain();
  EXPECT_TRUE(std::none_of(records_.begin(), records_.end(), [&](const rg_record_process& record) {
    return record.tgid == static_cast<rg_u32>(target.pid());
  }));
}

TEST_F(TaskLife, AFullMapOfTargetsIsCountedForEachChild) {
  kernel::AttachmentOptions tiny = small_options();
  tiny.max_targets = 1;
  attachment_ = open_or_throw(tiny);
  TargetProcess target;
  watch(target);
  for (unsigned i = 0; i < 5; ++i) {
    target.run("fork 1");
  }
  EXPECT_EQ(dropped(attachment_, RG_DROP_TARGETS_FULL), 5U);
  plan::PlanDifference another;
  another.add_targets = {target_entry(::getpid())};
  const auto errors = attachment_.apply(another);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code(), ErrorCode::kKernelMap) << errors[0].to_string();
}

}  // namespace
}  // namespace raceguard::test
