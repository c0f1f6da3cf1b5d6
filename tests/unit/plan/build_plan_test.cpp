// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/build_plan.h"

#include <gmock/gmock.h>

#include "daemon/plan/difference.h"
#include "tests/unit/plan/fakes.h"

namespace raceguard::plan {
namespace {

using ::testing::ElementsAre;
using testing::FakeBinary;
using testing::FakeSource;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::mapped;
using ::testing::SizeIs;
using testing::target;

policy::Guard guard(std::string name, std::vector<policy::FunctionGuard> functions,
                    std::vector<std::string> switches = {}) {
  policy::Guard result;
  result.name = std::move(name);
  result.functions = std::move(functions);
  for (std::string& each : switches) {
    result.switches.push_back({.name = std::move(each)});
  }
  return result;
}

policy::FunctionGuard function(std::string glob, std::string binary = "exe") {
  return {.name = glob, .symbol_glob = glob, .binary = std::move(binary), .slow_ns = 5};
}

class BuildPlan : public ::testing::Test {
 protected:
  FakeSource source_;
  policy::Policy policy_;
  std::vector<targets::Target> targets_;
  ProbePlan previous_;
  PlanLimits limits_;

  ProbePlan build() { return build_plan(policy_, targets_, source_, previous_, limits_); }
  static std::vector<std::string> names(const ProbePlan& plan) {
    std::vector<std::string> result;
    for (const FunctionProbe& probe : plan.functions) {
      result.push_back(probe.symbol.name);
    }
    return result;
  }
};

TEST_F(BuildPlan, OneProbeForEachFunctionAndDistinctBinary) {
  policy_.guards = {guard("guard0", {function("serve_*")})};
  source_.binaries[7] = {.functions = {"main", "serve_get", "serve_put"}};
  source_.binaries[8] = {.build_id = "b2", .functions = {"serve_get"}};
  targets_ = {target(10, 0, {mapped(7, "/bin/app"), mapped(7, "/bin/app")}), target(11, 0, {mapped(7, "/bin/app")}),
              target(12, 0, {mapped(8, "/bin/app2")})};
  const ProbePlan plan = build();
  EXPECT_THAT(names(plan), ElementsAre("serve_get", "serve_put", "serve_get"));
  EXPECT_EQ(plan.functions[0].binary, (BinaryId{.device = 1, .inode = 7, .build_id = "b1"}));
  EXPECT_EQ(plan.functions[0].site.file_offset, plan.functions[0].symbol.file_offset + 4);
  EXPECT_EQ(plan.functions[0].slow_ns, 5);
  EXPECT_EQ(plan.functions[2].binary.inode, 8U);
  EXPECT_THAT(plan.targets, SizeIs(3));
  EXPECT_THAT(plan.omissions, IsEmpty());
  EXPECT_EQ(source_.opens, 2);
}

TEST_F(BuildPlan, WatchedObjectsNeedTheirArgumentAtTheSite) {
  policy_.guards = {guard("guard0", {function("serve_get"), function("main")})};
  policy_.guards[0].watch.objects = {{.function = "serve_get", .argument = 1, .members = {"hits"}, .position = {}}};
  source_.binaries[7] = {.functions = {"main", "serve_get"}, .intact_arguments = 2};
  targets_ = {target(10, 0, {mapped(7, "/bin/app")})};
  const ProbePlan plan = build();
  ASSERT_THAT(plan.functions, SizeIs(2));
  for (const FunctionProbe& probe : plan.functions) {
    EXPECT_EQ(probe.object_argument, probe.name == "serve_get" ? 2 : 0);
  }
  EXPECT_THAT(plan.omissions, IsEmpty());

  source_.binaries[7].intact_arguments = 1;
  const ProbePlan without = build();
  EXPECT_THAT(without.functions, SizeIs(2)) << "the calls are counted all the same";
  ASSERT_THAT(without.omissions, SizeIs(1));
  EXPECT_THAT(without.omissions[0].what, HasSubstr("objects of function serve_get"));
}

TEST_F(BuildPlan, LibraryByGlobOfItsPath) {
  policy_.guards = {guard("guard0", {function("lock", "*/libc.so*")})};
  source_.binaries[7] = {.functions = {"lock"}};
  source_.binaries[9] = {.build_id = "c", .functions = {"lock"}};
  targets_ = {target(10, 0, {mapped(7, "/bin/app"), mapped(9, "/lib/libc.so.6")})};
  const ProbePlan plan = build();
  ASSERT_THAT(plan.functions, SizeIs(1));
  EXPECT_EQ(plan.functions[0].binary.inode, 9U);
  policy_.guards[0].functions[0].binary = "*/libmusl*";
  const ProbePlan missing = build();
  ASSERT_THAT(missing.omissions, SizeIs(1));
  EXPECT_EQ(missing.omissions[0].code, ErrorCode::kPolicyMatchesNothing);
  EXPECT_THAT(missing.omissions[0].reason, HasSubstr("/lib/libc.so.6"));
}

TEST_F(BuildPlan, GuardWithoutTargetsWaitsSilently) {
  policy_.guards = {guard("guard0", {function("nothing_like_it")}, {"sw"})};
  const ProbePlan plan = build();
  EXPECT_THAT(plan.functions, IsEmpty());
  EXPECT_THAT(plan.omissions, IsEmpty());
}

TEST_F(BuildPlan, GlobThatMatchesNothingNamesTheNearest) {
  policy_.guards = {guard("guard0", {function("recomend*")})};
  source_.binaries[7] = {.functions = {"recommend_items"}};
  source_.binaries[8] = {.functions = {"recomend_old"}};
  targets_ = {target(10, 0, {mapped(7, "/bin/app")})};
  const ProbePlan plan = build();
  ASSERT_THAT(plan.omissions, SizeIs(1));
  EXPECT_EQ(plan.omissions[0].code, ErrorCode::kPolicyMatchesNothing);
  EXPECT_THAT(plan.omissions[0].reason, HasSubstr("recommend_items"));
  targets_.push_back(target(11, 0, {mapped(8, "/bin/old")}));
  EXPECT_THAT(build().omissions, IsEmpty()) << "it matches in one of the guard's binaries";
}

TEST_F(BuildPlan, GoProgramAndFunctionWithoutSiteAreOmitted) {
  policy_.guards = {guard("guard0", {function("f*")})};
  source_.binaries[7] = {.go = true, .functions = {"f"}};
  source_.binaries[8] = {.functions = {"f1"}, .without_site = {"f2"}};
  targets_ = {target(10, 0, {mapped(7, "/bin/go")}), target(11, 0, {mapped(8, "/bin/app")})};
  const ProbePlan plan = build();
  EXPECT_THAT(names(plan), ElementsAre("f1"));
  ASSERT_THAT(plan.omissions, SizeIs(2));
  EXPECT_EQ(plan.omissions[0].code, ErrorCode::kSymbolGoProgram);
  EXPECT_THAT(plan.omissions[0].reason, HasSubstr("/bin/go"));
  EXPECT_EQ(plan.omissions[1].code, ErrorCode::kSymbolNoSite);
}

TEST_F(BuildPlan, FunctionsThatExceptionsMayPassAreSeenWhereTheyReturn) {
  policy_.guards = {guard("guard0", {function("f*")})};
  source_.binaries[7] = {.functions = {"f1", "f2"}, .exceptions = true, .without_returns = {"f2"}};
  targets_ = {target(10, 0, {mapped(7, "/bin/app")})};
  const ProbePlan plan = build();
  ASSERT_THAT(names(plan), ElementsAre("f1"));
  EXPECT_THAT(plan.functions[0].returns, SizeIs(1));
  ASSERT_THAT(plan.omissions, SizeIs(1));
  EXPECT_EQ(plan.omissions[0].code, ErrorCode::kSymbolMayThrow);
  EXPECT_THAT(plan.omissions[0].reason, HasSubstr("leaves for another function"));
  EXPECT_THAT(plan.omissions[0].reason, HasSubstr("may_throw: false"));

  previous_ = plan;
  policy_.guards[0].functions[0].may_throw = false;
  const ProbePlan trusted = build();
  ASSERT_THAT(names(trusted), ElementsAre("f1", "f2"));
  EXPECT_THAT(trusted.functions[0].returns, IsEmpty());
  EXPECT_THAT(difference(previous_, trusted).remove_functions, ElementsAre(plan.functions[0].function_id))
      << "the same function with a return probe is another probe";
}

TEST_F(BuildPlan, IdsStayAndAreReusedLate) {
  limits_.max_functions = 4;
  policy_.guards = {guard("guard0", {function("a"), function("b")})};
  source_.binaries[7] = {.functions = {"a", "b", "c", "d"}};
  targets_ = {target(10, 0, {mapped(7, "/bin/app")})};
  previous_ = build();
  EXPECT_EQ(previous_.functions[1].function_id, 1U);
  policy_.guards = {guard("guard0", {function("c"), function("b")})};
  previous_ = build();
  ASSERT_THAT(names(previous_), ElementsAre("b", "c"));
  EXPECT_EQ(previous_.functions[0].function_id, 1U);
  EXPECT_EQ(previous_.functions[1].function_id, 2U) << "0 was freed just now";
  policy_.guards = {guard("guard0", {function("b"), function("d")})};
  previous_ = build();
  EXPECT_EQ(previous_.functions[1].function_id, 3U);
  policy_.guards = {guard("guard0", {function("b"), function("d"), function("a")})};
  EXPECT_THAT(names(build()), ElementsAre("a", "b", "d")) << "0 again, after all others";
}

TEST_F(BuildPlan, RebuiltBinaryIsAnotherProbe) {
  policy_.guards = {guard("guard0", {function("a")})};
  source_.binaries[7] = {.functions = {"a"}};
  targets_ = {target(10, 0, {mapped(7, "/bin/app")})};
  previous_ = build();
  source_.binaries[7].build_id = "b2";  // overwritten in place: same inode
  const ProbePlan plan = build();
  EXPECT_NE(plan.functions[0].function_id, previous_.functions[0].function_id);
}

TEST_F(BuildPlan, LimitsBecomeOmissions) {
  limits_ = {.max_functions = 1, .max_targets = 2};
  policy_.guards = {guard("guard0", {function("a"), function("b")})};
  source_.binaries[7] = {.functions = {"a", "b"}};
  for (const pid_t pid : {10, 11, 12, 13}) {
    targets_.push_back(target(pid, 0, {mapped(7, "/bin/app")}));
  }
  const ProbePlan plan = build();
  EXPECT_THAT(names(plan), ElementsAre("a"));
  EXPECT_THAT(plan.targets, SizeIs(2));
  ASSERT_THAT(plan.omissions, SizeIs(2));
  EXPECT_THAT(plan.omissions[0].reason, HasSubstr("2 processes beyond the limit of 2 targets"));
  EXPECT_THAT(plan.omissions[1].what, HasSubstr("function b"));
  EXPECT_EQ(plan.omissions[1].code, ErrorCode::kPlanLimit);
}

TEST_F(BuildPlan, TargetsThatArePlannedAlreadyStayWithinTheLimit) {
  limits_.max_targets = 1;
  policy_.guards = {guard("guard0", {})};
  targets_ = {target(20, 0, {})};
  previous_ = build();
  targets_ = {target(10, 0, {}), target(20, 0, {})};
  const ProbePlan plan = build();
  ASSERT_THAT(plan.targets, SizeIs(1));
  EXPECT_EQ(plan.targets[0].id.pid, 20);
}

TEST_F(BuildPlan, WordsOfAllMappedFilesOnceEach) {
  policy_.guards = {guard("guard0", {}, {"fallback"}), guard("guard1", {}, {"fallback"})};
  source_.binaries[7] = {.switches = {"fallback", "unrelated"}};
  source_.binaries[9] = {.build_id = "c", .switches = {"fallback"}};
  targets_ = {target(10, 0, {mapped(7, "/bin/app"), mapped(9, "/lib/libapp.so"), mapped(99, "/a/font")}),
              target(11, 1, {mapped(7, "/bin/app")})};
  const ProbePlan plan = build();
  ASSERT_THAT(plan.words, SizeIs(2));
  EXPECT_EQ(plan.words[0].binary.inode, 7U);
  EXPECT_EQ(plan.words[1].binary.inode, 9U);
  EXPECT_EQ(plan.words[0].marker.semaphore_offset, 0x4000U);
  EXPECT_THAT(plan.omissions, IsEmpty());
}

TEST_F(BuildPlan, PlainPathIsPreferredAndThePreviousOneKept) {
  policy_.guards = {guard("guard0", {function("a")})};
  source_.binaries[7] = {.functions = {"a"}};
  auto through = [](pid_t pid) {
    targets::MappedBinary binary = mapped(7, "/app");
    binary.host_path = "/proc/" + std::to_string(pid) + "/root/app";
    return target(pid, 0, {binary});
  };
  targets_ = {through(11)};
  previous_ = build();
  targets_ = {through(10), through(11)};
  EXPECT_EQ(build().functions[0].host_path, "/proc/11/root/app") << "no update without need";
  targets_ = {through(10)};
  EXPECT_EQ(build().functions[0].host_path, "/proc/10/root/app");
  targets_.push_back(target(12, 0, {mapped(7, "/app")}));
  EXPECT_EQ(build().functions[0].host_path, "/app");
}

TEST_F(BuildPlan, MappedFileThatCannotBeReachedIsOmittedOnce) {
  policy_.guards = {guard("guard0", {function("a"), function("b")}, {"sw"})};
  targets::MappedBinary lost = mapped(7, "/bin/app");
  lost.host_path.clear();
  lost.deleted = true;
  targets_ = {target(10, 0, {lost})};
  const ProbePlan plan = build();
  EXPECT_THAT(plan.functions, IsEmpty());
  ASSERT_THAT(plan.omissions, SizeIs(1));
  EXPECT_EQ(plan.omissions[0].code, ErrorCode::kTargetBinaryReplaced);
}

}  // namespace
}  // namespace raceguard::plan
