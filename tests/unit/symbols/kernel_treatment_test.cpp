// SPDX-License-Identifier: Apache-2.0
// Holds the classification of instructions against the running kernel. No clock is needed: a refused probe fails with
// errno 524, and a single-stepped one makes the kernel map its out-of-line area, "[uprobes]", into the process.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <map>

#include "daemon/symbols/instruction.h"
#include "raceguard/unique_fd.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

constexpr int kNotSupported = 524;  // ENOTSUPP, which no header for user space has

enum class Seen { kRefused, kEmulated, kSingleStepped, kOptimised, kAccepted, kFailed };

bool is_mapped(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(name)) {
      return true;
    }
  }
  return false;
}

// In the child: waits for the word to go, calls the function twice (a kernel optimises a site at its first hit).
[[noreturn]] void child_main(int go, std::uint64_t address) {
  char call = 0;
  if (::read(go, &call, 1) != 1) {
    ::_exit(0);
  }
  alignas(64) std::array<char, 64> memory{};
  if (call != 0) {
    auto* function = reinterpret_cast<void (*)(void*, void*)>(address);
    function(memory.data(), memory.data());
    function(memory.data(), memory.data());
  }
  ::_exit(is_mapped("[uprobes]") ? 2 : is_mapped("[uprobes-trampoline]") ? 3 : 1);
}

int open_uprobe(const std::string& path, std::uint64_t offset, pid_t pid) {
  int type = 0;
  std::ifstream("/sys/bus/event_source/devices/uprobe/type") >> type;
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = static_cast<std::uint32_t>(type);
  attributes.uprobe_path = reinterpret_cast<std::uint64_t>(path.c_str());
  attributes.probe_offset = offset;
  return static_cast<int>(::syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

Seen try_probe(const std::string& path, const Symbol& symbol, std::uint64_t bias, bool call, int& error) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) {
    return Seen::kFailed;
  }
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    write_end.reset();
    child_main(read_end.get(), symbol.address + bias);
  }
  const UniqueFd probe(open_uprobe(path, symbol.file_offset, child));
  error = probe ? 0 : errno;
  const char word = probe && call ? 1 : 0;
  const bool told = ::write(write_end.get(), &word, 1) == 1;
  int status = 0;
  ::waitpid(child, &status, 0);
  if (error == kNotSupported) {
    return Seen::kRefused;
  }
  std::uint64_t hits = 0;
  if (!probe || !told || !WIFEXITED(status) || ::read(probe.get(), &hits, sizeof hits) != sizeof hits) {
    return Seen::kFailed;
  }
  if (!call) {
    return Seen::kAccepted;
  }
  if (hits != 2) {
    return Seen::kFailed;
  }
  return WEXITSTATUS(status) == 2   ? Seen::kSingleStepped
         : WEXITSTATUS(status) == 3 ? Seen::kOptimised
                                    : Seen::kEmulated;
}

bool agrees(SiteKind predicted, Seen seen) {
  switch (predicted) {
    case SiteKind::kRefused:
      return seen == Seen::kRefused;
    case SiteKind::kNop5:
      return seen == Seen::kOptimised;
    case SiteKind::kEmulated:
      return seen == Seen::kEmulated || seen == Seen::kAccepted;
    case SiteKind::kSingleStepped:
      return seen == Seen::kSingleStepped || seen == Seen::kAccepted;
  }
  return false;
}

TEST(KernelTreatment, IsWhatTheRunningKernelDoes) {
  const std::string path = std::filesystem::read_symlink("/proc/self/exe");
  const UniqueFd self(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::fsync(self.get()), 0);  // the kernel warns about uprobes on dirty pages of ext4
  const ElfFile file = *ElfFile::open(path);
  const auto maps = executable_mappings_of_self();
  ASSERT_FALSE(maps.empty());
  const std::uint64_t bias = *file.load_bias(maps[0].start, maps[0].file_offset);

  std::map<std::string, Symbol> symbols;
  const auto kinds = file.find_functions("kind*_*");
  ASSERT_TRUE(kinds);
  for (const Symbol& symbol : *kinds) {
    symbols[symbol.name] = symbol;
  }
  ASSERT_GE(symbols.size(), 40U);

  KernelTreatment kernel;
  int error = 0;
  const Seen nop3 = try_probe(path, symbols.at("kind_nop3"), bias, true, error);
  if (error == EACCES || error == EPERM || error == ENOENT) {
    GTEST_SKIP() << "uprobes by perf_event_open are not available here (errno " << error
                 << "): this test needs root and CONFIG_UPROBE_EVENTS";
  }
  kernel.emulates_long_nops = nop3 == Seen::kEmulated;
  kernel.optimises_nop5 = try_probe(path, symbols.at("kind_nop5"), bias, true, error) == Seen::kOptimised;
  RecordProperty("emulates_long_nops", kernel.emulates_long_nops ? "yes" : "no");
  RecordProperty("optimises_nop5", kernel.optimises_nop5 ? "yes" : "no");

  for (const auto& [name, symbol] : symbols) {
    const auto instruction = decode(file.read_code(symbol.address, 16), symbol.address, true, kernel);
    ASSERT_TRUE(instruction) << name;
    const Seen seen = try_probe(path, symbol, bias, name.starts_with("kind_"), error);
    EXPECT_TRUE(agrees(instruction->kind, seen))
        << name << " (" << instruction->text << "): predicted \"" << instruction->kind_reason << "\", the kernel did "
        << static_cast<int>(seen) << ", errno " << error;
  }
}

}  // namespace
}  // namespace raceguard::symbols
