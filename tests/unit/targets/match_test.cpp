// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/match.h"

#include <gtest/gtest.h>

namespace raceguard::targets {
namespace {

const ProcessFacts kMariadb{.id = {.pid = 812, .start_ticks = 5},
                            .comm = "mariadbd",
                            .exe = "/usr/sbin/mariadbd",
                            .uid = 105,
                            .cgroup = "/system.slice/mariadb.service",
                            .systemd_unit = "mariadb.service"};

struct Case {
  const char* name;
  policy::TargetMatch match;
  bool expected;
};

class Match : public ::testing::TestWithParam<Case> {};

TEST_P(Match, Selects) { EXPECT_EQ(matches(GetParam().match, kMariadb), GetParam().expected); }

INSTANTIATE_TEST_SUITE_P(
    Lists, Match,
    ::testing::Values(Case{"NoList", {}, true}, Case{"Exe", {.exe_globs = {"/usr/sbin/mariadbd"}}, true},
                      Case{"ExeStarCrossesSlash", {.exe_globs = {"*/mariadbd"}}, true},
                      Case{"OneOfTwo", {.exe_globs = {"/bin/x", "/usr/sbin/maria*"}}, true},
                      Case{"OtherExe", {.exe_globs = {"/usr/sbin/mysqld"}}, false},
                      Case{"EveryListMustMatch", {.exe_globs = {"*"}, .comm_globs = {"mysqld"}}, false},
                      Case{"Pid", {.pids = {812}}, true}, Case{"OtherPid", {.pids = {813}}, false},
                      Case{"Unit", {.systemd_units = {"mariadb*.service"}}, true},
                      Case{"OtherUnit", {.systemd_units = {"mysql.service"}}, false},
                      Case{"Cgroup", {.cgroup_globs = {"/system.slice/*"}}, true},
                      Case{"OtherCgroup", {.cgroup_globs = {"/kubepods*"}}, false},
                      Case{"DenyPid", {.deny_pids = {812}}, false}, Case{"AllowUid", {.allow_uids = {0, 105}}, true},
                      Case{"NotAllowedUid", {.allow_uids = {0}}, false},
                      Case{"DenyUid", {.comm_globs = {"mariadbd"}, .deny_uids = {105}}, false}),
    [](const auto& each) { return each.param.name; });

TEST(MatchRule, KernelThreadsAndZombiesNever) {
  ProcessFacts facts = kMariadb;
  facts.zombie = true;
  EXPECT_FALSE(matches({}, facts));
  facts = kMariadb;
  facts.kernel_thread = true;
  EXPECT_FALSE(matches({}, facts));
}

TEST(MatchRule, EventAloneRulesOutByCommPidAndUser) {
  const policy::TargetMatch match{.exe_globs = {"/nowhere"}, .comm_globs = {"maria*"}, .deny_uids = {7}};
  EXPECT_TRUE(could_match(match, 1, 0, "mariadbd"));
  EXPECT_FALSE(could_match(match, 1, 0, "sh"));
  EXPECT_FALSE(could_match(match, 1, 7, "mariadbd"));
}

}  // namespace
}  // namespace raceguard::targets
