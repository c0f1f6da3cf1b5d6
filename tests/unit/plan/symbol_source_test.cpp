// SPDX-License-Identifier: Apache-2.0
// Plans for real processes and files: the test program itself, and children whose program is replaced on disk.
#include "daemon/plan/symbol_source.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "daemon/plan/build_plan.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/targets/process_reader.h"
#include "daemon/targets/target_set.h"
#include "raceguard/switch.h"
#include "tests/support/scratch.h"

RG_SWITCH_DEFINE(plan_test_switch, "plan.test");

extern "C" __attribute__((noinline)) int raceguard_plan_test_function(int value) { return value + ::getpid(); }

namespace raceguard::plan {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace raceguard::testing;

std::string build_id_of(const fs::path& path) { return symbols::ElfFile::open(path.string()).value().build_id(); }

class RealPlan : public ::testing::Test {
 protected:
  SymbolSource source_{symbols::KernelTreatment{}};
  targets::ProcessReader reader_{"/proc"};
  ScratchFolder scratch_;

  targets::Target target_of(pid_t pid) {
    const auto facts = reader_.read_facts(pid).value();
    return {.id = facts.id,
            .guard = "guard",
            .comm = facts.comm,
            .exe = facts.exe,
            .root = "/proc/" + std::to_string(pid) + "/root",
            .binaries = reader_.read_binaries(facts.id).value()};
  }
  ProbePlan plan_of(std::vector<targets::Target> targets, const std::string& glob, const std::string& binary,
                    const std::string& switch_name = {}) {
    policy::Policy policy;
    policy.guards.emplace_back().name = "guard";
    policy.guards[0].functions.push_back({.name = glob, .symbol_glob = glob, .binary = binary, .may_throw = false});
    if (!switch_name.empty()) {
      policy.guards[0].switches.emplace_back().name = switch_name;
    }
    return build_plan(policy, targets, source_, {}, {});
  }
};

TEST_F(RealPlan, FunctionAndSwitchOfThisProgram) {
  EXPECT_NE(raceguard_plan_test_function(1), 0);
  EXPECT_EQ(rg_switch_is_open(plan_test_switch), 0);
  const ProbePlan plan = plan_of({target_of(::getpid())}, "raceguard_plan_test_function", "exe", "plan.test");
  ASSERT_THAT(plan.functions, SizeIs(1)) << (plan.omissions.empty() ? "" : plan.omissions[0].reason);
  EXPECT_TRUE(plan.functions[0].site.takes_return_probe);
  EXPECT_EQ(plan.functions[0].binary.build_id, build_id_of("/proc/self/exe"));
  ASSERT_THAT(plan.words, SizeIs(1));
  EXPECT_EQ(plan.words[0].switch_name, "plan.test");
  EXPECT_GT(plan.words[0].marker.semaphore_offset, 0U);
}

TEST_F(RealPlan, GlobWithoutMatchNamesTheNearestSymbol) {
  const ProbePlan plan = plan_of({target_of(::getpid())}, "raceguard_plan_tset_function", "exe");
  ASSERT_THAT(plan.omissions, SizeIs(1));
  EXPECT_EQ(plan.omissions[0].code, ErrorCode::kPolicyMatchesNothing);
  EXPECT_THAT(plan.omissions[0].reason, HasSubstr("raceguard_plan_test_function"));
}

TEST_F(RealPlan, FilesAreReadOnceForManyPlans) {
  const auto self = target_of(::getpid());
  const ProbePlan first = plan_of({self}, "pthread_mutex_lock", "*/libc.so.6", "plan.test");
  ASSERT_THAT(first.functions, SizeIs(1));
  const std::size_t read = source_.files_read();
  for (int round = 0; round < 10; ++round) {
    EXPECT_THAT(plan_of({self}, "pthread_mutex_lock", "*/libc.so.6", "plan.test").functions, SizeIs(1));
  }
  EXPECT_EQ(source_.files_read(), read);
  for (std::uint64_t round = 0; round <= SymbolSource::kPlansToRemember + 1; ++round) {
    (void)plan_of({}, "x", "exe");
  }
  EXPECT_EQ(source_.files_remembered(), 0U);
}

TEST_F(RealPlan, OldProcessOfAReplacedProgramIsPlannedOnWhatItMaps) {
  const fs::path program = scratch_.path() / "napper";
  copy_program(fs::canonical("/bin/sleep"), program);
  const ChildProcess old_child = ChildProcess::start({program.string(), "1000"});
  ASSERT_TRUE(runs(old_child.pid(), "napper"));
  const auto before = target_of(old_child.pid());
  const fs::path fresh = scratch_.path() / "fresh";
  copy_program(fs::canonical("/bin/cat"), fresh);
  fs::rename(fresh, program);

  const auto stale = source_.open(before.binaries[0], before.root);
  ASSERT_FALSE(stale) << "the path leads to another file by now";
  EXPECT_EQ(stale.error().code(), ErrorCode::kTargetBinaryReplaced);

  const auto after = target_of(old_child.pid());
  const auto facts = source_.open(after.binaries[0], after.root);
  ASSERT_TRUE(facts) << facts.error().to_string();
  EXPECT_EQ((*facts)->build_id(), build_id_of(fs::canonical("/bin/sleep")));
  EXPECT_NE((*facts)->build_id(), build_id_of(program));
}

TEST_F(RealPlan, OverwrittenInPlaceIsAnotherFile) {
  const fs::path program = scratch_.path() / "app";
  copy_program(fs::canonical("/bin/sleep"), program);
  struct stat status {};
  ASSERT_EQ(::stat(program.c_str(), &status), 0);
  const targets::MappedBinary mapped{
      .path = program, .host_path = program, .device = status.st_dev, .inode = status.st_ino};
  const std::string before = source_.open(mapped, "/").value()->build_id();
  std::ofstream(program, std::ios::binary | std::ios::trunc) << read_text(fs::canonical("/bin/cat"));
  EXPECT_NE(source_.open(mapped, "/").value()->build_id(), before);
}

TEST_F(RealPlan, FileThatIsNoProgram) {
  const fs::path text = scratch_.path() / "text";
  write_text(text, "hello");
  struct stat status {};
  ASSERT_EQ(::stat(text.c_str(), &status), 0);
  const targets::MappedBinary mapped{.path = text, .host_path = text, .device = status.st_dev, .inode = status.st_ino};
  EXPECT_EQ(source_.open(mapped, "/").error().code(), ErrorCode::kSymbolNotElf);
  EXPECT_EQ(source_.files_remembered(), 0U);
}

}  // namespace
}  // namespace raceguard::plan
