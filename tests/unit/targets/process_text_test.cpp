// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/process_text.h"

#include <gmock/gmock.h>
#include <sys/sysmacros.h>

namespace raceguard::targets {
namespace {

using ::testing::SizeIs;

TEST(Stat, CommMayHoldSpacesParenthesesAndNewlines) {
  const auto stat = parse_stat("812 (a) S 1 (b\n) R 7 812 812 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99887766 1 2 3\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "a) S 1 (b\n");
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->parent_pid, 7);
  EXPECT_EQ(stat->flags, 4194304U);
  EXPECT_EQ(stat->cpu_ticks, 5U + 6U);
  EXPECT_EQ(stat->start_ticks, 99887766U);
}

TEST(Stat, TruncatedTextIsRefused) {
  EXPECT_FALSE(parse_stat(""));
  EXPECT_FALSE(parse_stat("812 (app"));
  EXPECT_FALSE(parse_stat("812 (app) S 1 2 3"));
  EXPECT_FALSE(parse_stat(")("));
}

TEST(Status, RealUidIsTheFirst) {
  EXPECT_EQ(parse_status_uid("Name:\tUid:\nUmask:\t0022\nUid:\t105\t0\t0\t0\nGid:\t1\n"), 105U);
  EXPECT_FALSE(parse_status_uid("Name:\tx\n"));
}

TEST(Cgroup, UnifiedLineOrSystemdsOwnOrAController) {
  EXPECT_EQ(parse_cgroup("0::/system.slice/mariadb.service\n"), "/system.slice/mariadb.service");
  EXPECT_EQ(parse_cgroup("9:name=systemd:/system.slice/a.service\n4:memory:/m\n0::/\n"), "/system.slice/a.service");
  EXPECT_EQ(parse_cgroup("9:name=systemd:/\n8:pids:/\n4:memory:/jobs/17\n0::/\n"), "/jobs/17");
  EXPECT_EQ(parse_cgroup("9:name=systemd:/\n0::/\n"), "/");
  EXPECT_EQ(parse_cgroup("0::/../../system.slice/a.service\n"), "/system.slice/a.service") << "from another namespace";
  EXPECT_EQ(parse_cgroup("0::/../..\n"), "/");
  EXPECT_EQ(parse_cgroup("0::/..hidden/a\n"), "/..hidden/a");
  EXPECT_EQ(parse_cgroup("3:cpu,cpuacct:/x:y\n"), "/x:y");
}

TEST(Cgroup, UnitIsTheInnermostServiceOrScope) {
  EXPECT_EQ(systemd_unit_of("/system.slice/mariadb.service/worker"), "mariadb.service");
  EXPECT_EQ(systemd_unit_of("/user.slice/user-0.slice/user@0.service/app.slice/web.service"), "web.service");
  EXPECT_EQ(systemd_unit_of("/machine.slice/libpod-1f.scope/container"), "libpod-1f.scope");
  EXPECT_EQ(systemd_unit_of("/system.slice/_memory.service"), "memory.service");
  EXPECT_EQ(systemd_unit_of("/user.slice"), "");
}

TEST(Maps, OnlyExecutableFilesWithTheirIdentity) {
  const auto lines = parse_executable_maps(
      "55e0-55f0 r--p 00000000 fe:00 24 /usr/bin/cat\n"
      "55f0-5600 r-xp 00002000 fe:01 247134                     /srv/my app/x\\012y (deleted)\n"
      "7fff-8000 r-xp 00000000 00:00 0                          [vdso]\n"
      "9000-a000 rwxp 00000000 00:00 0\n"
      "garbage\n");
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].start, 0x55f0U);
  EXPECT_EQ(lines[0].end, 0x5600U);
  EXPECT_EQ(lines[0].file_offset, 0x2000U);
  EXPECT_EQ(lines[0].device, makedev(0xfe, 1));
  EXPECT_EQ(lines[0].inode, 247134U);
  EXPECT_EQ(lines[0].path, "/srv/my app/x\ny (deleted)");
}

}  // namespace
}  // namespace raceguard::targets
