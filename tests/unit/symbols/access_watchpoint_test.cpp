// SPDX-License-Identifier: Apache-2.0
// What the processor really reports: a child process runs under hardware watchpoints, and each ip that it stops at is
// given to access_candidates.
#include <gmock/gmock.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <functional>

#include "daemon/symbols/access.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

alignas(64) volatile long watched[8];

struct Stop {
  std::uint64_t ip = 0;
  std::vector<std::uint64_t> registers;  // by DWARF number
};

// The stops of `work`, run in a child, at accesses to the 8 bytes of watched[1].
std::vector<Stop> stops_of(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  constexpr std::uint64_t kReadWrite8 = 0x1 | (0xbULL << 16U);  // DR7: slot 0, R/W, 8 bytes (Intel SDM 3B, 18.2.4)
  const auto set = [&](std::size_t index, std::uint64_t value) {
    return ::ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg) + index * 8, value);
  };
  if (set(0, reinterpret_cast<std::uint64_t>(&watched[1])) != 0 || set(7, kReadWrite8) != 0) {
    ADD_FAILURE() << "cannot set a debug register: " << std::strerror(errno);
  }
  std::vector<Stop> stops;
  while (::ptrace(PTRACE_CONT, child, nullptr, nullptr) == 0 && ::waitpid(child, &status, 0) == child &&
         WIFSTOPPED(status)) {
    user_regs_struct r{};
    ::ptrace(PTRACE_GETREGS, child, nullptr, &r);
    stops.push_back({r.rip,
                     {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13,
                      r.r14, r.r15}});
    if (WSTOPSIG(status) != SIGTRAP) {
      ADD_FAILURE() << "stopped by signal " << WSTOPSIG(status);
      ::kill(child, SIGKILL);
    }
  }
  return stops;
}

class Watchpoint : public testing::Test {
 protected:
  ElfFile self = *ElfFile::open("/proc/self/exe");
  std::uint64_t bias = 0;
  void SetUp() override {
    const auto maps = executable_mappings_of_self();
    ASSERT_FALSE(maps.empty());
    bias = *self.load_bias(maps[0].start, maps[0].file_offset);
  }

  // Every stop has one candidate that touches the watched bytes; their texts.
  std::vector<std::string> texts(const std::function<void()>& work) {
    std::vector<std::string> result;
    for (const Stop& stop : stops_of(work)) {
      const auto found = access_candidates(self, stop.ip - bias);
      if (!found) {
        result.push_back(found.error().to_string());
        continue;
      }
      EXPECT_EQ(found->size(), 1U);
      const AccessInstruction& instruction = found->front();
      for (const MemoryAccess& access : instruction.accesses) {
        if (const auto address = effective_address(access.where, stop.registers, bias)) {
          const auto first = reinterpret_cast<std::uint64_t>(&watched[1]);
          EXPECT_LT(*address, first + 8) << instruction.text;
          EXPECT_GT(*address + access.width_bytes, first) << instruction.text;
        }
      }
      result.push_back(instruction.text);
    }
    return result;
  }
};

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

TEST_F(Watchpoint, PlainAccesses) {
  EXPECT_THAT(texts([] { watched[1] = 5; }), ElementsAre(HasSubstr("mov ")));
  EXPECT_THAT(texts([] { (void)watched[1]; }), ElementsAre(HasSubstr("mov ")));
  EXPECT_THAT(texts([] { watched[2] = 5; }), SizeIs(0)) << "its neighbour";
}

TEST_F(Watchpoint, UpdatesStopOnceOrTwiceAtTheSameInstruction) {
  const auto update = texts([] { asm volatile("addq $1, %0" : "+m"(watched[1])); });
  EXPECT_THAT(update, Each(HasSubstr("add qword ptr")));
  EXPECT_GE(update.size(), 1U);
  const auto locked = texts([] { asm volatile("lock addq $1, %0" : "+m"(watched[1])); });
  EXPECT_THAT(locked, Each(HasSubstr("lock add qword ptr")));
  EXPECT_GE(locked.size(), 1U);
}

TEST_F(Watchpoint, RepeatedStores) {
  const auto stores = texts([] {
    auto* to = &watched[0];
    std::size_t count = 4;
    asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(7) : "memory");
  });
  EXPECT_THAT(stores, Each(HasSubstr("rep stosq")));
  EXPECT_GE(stores.size(), 1U);
}

TEST_F(Watchpoint, VectorStores) {
  const auto stores = texts([] { asm volatile("movups %%xmm0, %0" : "=m"(watched[0]) : : "memory"); });
  EXPECT_THAT(stores, ElementsAre(HasSubstr("movups [0x")));
}

void call_target() {}

TEST_F(Watchpoint, ACallThroughMemoryIsAnErrorNotAnotherAnswer) {
  watched[1] = reinterpret_cast<long>(&call_target);
  EXPECT_THAT(texts([] {
                asm volatile("call *%0" : : "m"(watched[1]) : "memory", "rax", "rcx", "rdx", "rsi", "rdi");
              }),
              ElementsAre(HasSubstr("entry of a function")));
}

}  // namespace
}  // namespace raceguard::symbols
