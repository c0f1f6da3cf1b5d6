// SPDX-License-Identifier: Apache-2.0
// One process read: from fake proc trees, and from the real /proc with real children.
#include "daemon/targets/process_reader.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/targets/proc_file.h"
#include "tests/support/scratch.h"

namespace raceguard::targets {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace raceguard::testing;

FileIdentity identity(const fs::path& path) { return identify_file(path.string()).value_or(FileIdentity{}); }
FileIdentity identity(const MappedBinary& binary) { return {.device = binary.device, .inode = binary.inode}; }

class FakeProc : public ::testing::Test {
 protected:
  ScratchFolder scratch_;
  fs::path proc_ = scratch_.path() / "proc";
  fs::path program_ = scratch_.path() / "app";
  ProcessReader reader_{proc_.string()};

  FakeProc() { write_text(program_, "elf"); }
};

TEST_F(FakeProc, FactsOfOneProcess) {
  put_process(proc_, {.pid = 812, .comm = "my (app) ", .start_ticks = 77, .exe = program_, .uid = 105});
  const auto facts = reader_.read_facts(812);
  ASSERT_TRUE(facts) << facts.error().to_string();
  EXPECT_EQ(facts->id, (ProcessId{.pid = 812, .start_ticks = 77}));
  EXPECT_EQ(facts->comm, "my (app) ");
  EXPECT_EQ(facts->exe, program_.string());
  EXPECT_EQ(facts->uid, 105U);
  EXPECT_EQ(facts->cgroup, "/system.slice/app.service");
  EXPECT_EQ(facts->systemd_unit, "app.service");
}

TEST_F(FakeProc, KernelThreadAndZombieHaveOnlyAnIdentity) {
  put_process(proc_, {.pid = 2, .comm = "kthreadd", .flags = 0x00208040});
  put_process(proc_, {.pid = 3, .state = 'Z', .exe = program_});
  EXPECT_TRUE(reader_.read_facts(2).value().kernel_thread);
  EXPECT_TRUE(reader_.read_facts(3).value().zombie);
}

TEST_F(FakeProc, VanishedAtAnyStepIsGone) {
  EXPECT_EQ(reader_.read_facts(5).error().code(), ErrorCode::kTargetGone);
  for (const char* missing : {"exe", "status", "cgroup", "root"}) {
    put_process(proc_, {.pid = 5, .exe = program_});
    fs::remove(proc_ / "5" / missing);
    EXPECT_EQ(reader_.read_facts(5).error().code(), ErrorCode::kTargetGone) << missing;
  }
  put_process(proc_, {.pid = 5, .start_ticks = 10, .exe = program_});
  EXPECT_EQ(reader_.read_binaries({.pid = 5, .start_ticks = 9}).error().code(), ErrorCode::kTargetGone);
}

TEST_F(FakeProc, ChrootIsCutOffPaths) {
  put_process(proc_, {.pid = 5, .exe = program_});
  fs::remove(proc_ / "5/root");
  fs::create_symlink(scratch_.path(), proc_ / "5/root");
  EXPECT_EQ(reader_.read_facts(5).value().exe, "/app");
  const auto binaries = reader_.read_binaries({.pid = 5, .start_ticks = 1000}).value();
  ASSERT_THAT(binaries, SizeIs(1));
  EXPECT_EQ(binaries[0].path, "/app");
  EXPECT_FALSE(binaries[0].deleted);
}

TEST_F(FakeProc, FileNamedDeletedIsNotDeleted) {
  const fs::path odd = scratch_.path() / "app (deleted)";
  write_text(odd, "elf");
  put_process(proc_, {.pid = 5, .exe = odd});
  const auto binaries = reader_.read_binaries({.pid = 5, .start_ticks = 1000}).value();
  ASSERT_THAT(binaries, SizeIs(1));
  EXPECT_FALSE(binaries[0].deleted);
  EXPECT_EQ(binaries[0].path, odd.string());
}

TEST_F(FakeProc, ExecutableGoesFirst) {
  const fs::path library = scratch_.path() / "lib.so";
  write_text(library, "elf");
  put_process(proc_,
              {.pid = 5,
               .exe = program_,
               .maps = maps_line(library, library.string(), 0x1000) + maps_line(program_, program_.string(), 0x9000)});
  const auto binaries = reader_.read_binaries({.pid = 5, .start_ticks = 1000}).value();
  ASSERT_THAT(binaries, SizeIs(2));
  EXPECT_EQ(binaries[0].path, program_.string());
  EXPECT_EQ(binaries[0].start, 0x9000U);
}

// Real children from here on.
class RealProc : public ::testing::Test {
 protected:
  ScratchFolder scratch_;
  fs::path program_ = scratch_.path() / "napper";
  ProcessReader reader_{"/proc"};

  RealProc() { copy_program(fs::canonical("/bin/sleep"), program_); }

  std::vector<MappedBinary> binaries_of(pid_t pid) {
    const auto facts = reader_.read_facts(pid);
    EXPECT_TRUE(facts) << (facts ? "" : facts.error().to_string());
    auto binaries = facts ? reader_.read_binaries(facts->id) : Result<std::vector<MappedBinary>>{};
    EXPECT_TRUE(binaries) << (binaries ? "" : binaries.error().to_string());
    return binaries.value_or(std::vector<MappedBinary>{});
  }
};

TEST_F(RealProc, ReadsItself) {
  const auto facts = reader_.read_facts(::getpid()).value();
  EXPECT_EQ(facts.exe, fs::read_symlink("/proc/self/exe").string());
  EXPECT_EQ(facts.uid, ::getuid());
  EXPECT_EQ(facts.parent_pid, ::getppid());
  const auto binaries = binaries_of(::getpid());
  ASSERT_FALSE(binaries.empty());
  EXPECT_EQ(identity(binaries[0]), identity("/proc/self/exe"));
  EXPECT_EQ(binaries[0].host_path, facts.exe);
  for (const MappedBinary& binary : binaries) {
    EXPECT_EQ(identity(binary), identity(binary.host_path)) << binary.path;
  }
}

TEST_F(RealProc, KernelThreadOfTheMachine) {
  const auto facts = reader_.read_facts(2);
  if (!facts || facts->comm != "kthreadd") {
    GTEST_SKIP() << "pid 2 is not the kernel's kthreadd: this is a pid namespace of its own";
  }
  EXPECT_TRUE(facts->kernel_thread);
}

TEST_F(RealProc, ZombieIsTold) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::_exit(0);
  }
  ChildProcess child(pid);
  // On its way from running to zombie it has no exe any more: read as gone for a moment.
  EXPECT_TRUE(eventually([&] {
    const auto facts = reader_.read_facts(pid);
    return facts && facts->zombie;
  }));
}

TEST_F(RealProc, DeletedExecutableIsReachedThroughTheKernelsLink) {
  const ChildProcess child = ChildProcess::start({program_.string(), "1000"});
  ASSERT_TRUE(runs(child.pid(), "napper"));
  const FileIdentity mapped = identity(program_);
  fs::remove(program_);
  const auto binaries = binaries_of(child.pid());
  EXPECT_TRUE(binaries[0].deleted);
  EXPECT_EQ(binaries[0].path, program_.string());
  EXPECT_EQ(binaries[0].host_path, "/proc/" + std::to_string(child.pid()) + "/exe");
  EXPECT_EQ(identity(binaries[0].host_path), mapped);
  EXPECT_TRUE(reader_.read_facts(child.pid()).value().exe_deleted);
}

TEST_F(RealProc, ReplacedExecutableIsNotTakenForTheMappedOne) {
  const ChildProcess child = ChildProcess::start({program_.string(), "1000"});
  ASSERT_TRUE(runs(child.pid(), "napper"));
  const FileIdentity mapped = identity(program_);
  const fs::path fresh = scratch_.path() / "fresh";
  copy_program(fs::canonical("/bin/cat"), fresh);
  fs::rename(fresh, program_);
  const auto binaries = binaries_of(child.pid());
  EXPECT_TRUE(binaries[0].deleted);
  EXPECT_EQ(identity(binaries[0]), mapped);
  EXPECT_NE(identity(binaries[0].host_path), identity(program_));
  EXPECT_EQ(identity(binaries[0].host_path), mapped);
}

TEST_F(RealProc, DeletedLibraryIsReachedThroughMapFiles) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "not root: the kernel does not let /proc/PID/map_files be followed";
  }
  const fs::path library = scratch_.path() / "libnothing.so";
  copy_program("/lib/x86_64-linux-gnu/libm.so.6", library);
  const ChildProcess child =
      ChildProcess::start({program_.string(), "1000"}, [&] { return ::setenv("LD_PRELOAD", library.c_str(), 1) == 0; });
  ASSERT_TRUE(runs(child.pid(), "napper"));
  const FileIdentity mapped = identity(library);
  fs::remove(library);
  const auto binaries = binaries_of(child.pid());
  const auto found = std::ranges::find(binaries, library.string(), &MappedBinary::path);
  ASSERT_NE(found, binaries.end());
  EXPECT_TRUE(found->deleted);
  EXPECT_THAT(found->host_path, ::testing::HasSubstr("/map_files/"));
  EXPECT_EQ(identity(found->host_path), mapped);
}

// The child sees a tmpfs that nobody else sees, with the program on it.
bool enter_private_tmpfs(const fs::path& mount_point, const fs::path& program) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, nullptr) != 0) {
    return false;
  }
  copy_program(program, mount_point / "inner");
  return true;
}

TEST_F(RealProc, BinaryInAnotherMountNamespace) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "not root: cannot unshare the mount namespace";
  }
  const fs::path mount_point = scratch_.path() / "private";
  fs::create_directory(mount_point);
  const std::string inner = (mount_point / "inner").string();
  const ChildProcess child =
      ChildProcess::start({inner, "1000"}, [&] { return enter_private_tmpfs(mount_point, program_); });
  ASSERT_TRUE(runs(child.pid(), "inner"));
  ASSERT_FALSE(fs::exists(inner)) << "the program must exist only inside";
  EXPECT_EQ(reader_.read_facts(child.pid()).value().exe, inner);
  const auto binaries = binaries_of(child.pid());
  EXPECT_FALSE(binaries[0].deleted);
  EXPECT_EQ(binaries[0].path, inner);
  EXPECT_EQ(binaries[0].host_path, "/proc/" + std::to_string(child.pid()) + "/root" + inner);
  EXPECT_EQ(identity(binaries[0]), identity(binaries[0].host_path));
}

TEST_F(RealProc, OtherFileOfTheSameNameInTheHostIsNotTaken) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "not root: cannot unshare the mount namespace";
  }
  const fs::path mount_point = scratch_.path() / "private";
  const std::string inner = (mount_point / "inner").string();
  copy_program(fs::canonical("/bin/cat"), inner);
  const ChildProcess child =
      ChildProcess::start({inner, "1000"}, [&] { return enter_private_tmpfs(mount_point, program_); });
  ASSERT_TRUE(runs(child.pid(), "inner"));
  const auto binaries = binaries_of(child.pid());
  EXPECT_FALSE(binaries[0].deleted);
  EXPECT_EQ(binaries[0].host_path, "/proc/" + std::to_string(child.pid()) + "/root" + inner);
  EXPECT_NE(identity(binaries[0]), identity(inner));
}

TEST_F(RealProc, ChrootInAnotherMountNamespace) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "not root: cannot unshare the mount namespace";
  }
  const fs::path root = scratch_.path() / "root";
  fs::create_directory(root);
  const ChildProcess child = ChildProcess::start({"/mnt/inner", "1000"}, [&] {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("/", root.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
           ::mount("tmpfs", (root / "mnt").c_str(), "tmpfs", 0, nullptr) == 0 &&
           (copy_program(program_, root / "mnt/inner"), true) && ::chroot(root.c_str()) == 0 && ::chdir("/") == 0;
  });
  ASSERT_TRUE(runs(child.pid(), "inner"));
  EXPECT_EQ(reader_.read_facts(child.pid()).value().exe, "/mnt/inner");
  const auto binaries = binaries_of(child.pid());
  ASSERT_THAT(binaries, ::testing::Not(IsEmpty()));
  EXPECT_EQ(binaries[0].path, "/mnt/inner");
  EXPECT_FALSE(binaries[0].deleted);
  EXPECT_EQ(binaries[0].host_path, "/proc/" + std::to_string(child.pid()) + "/root/mnt/inner");
  EXPECT_EQ(identity(binaries[0]), identity(binaries[0].host_path));
}

}  // namespace
}  // namespace raceguard::targets
