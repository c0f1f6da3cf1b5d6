// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/memory_map.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <string>

#include <fmt/format.h>

namespace raceguard::kernel {
namespace {

constexpr std::uint64_t kGuardBytes = 4096;
constexpr std::uint64_t kUsualStackBytes = 8U << 20U;

struct Mapping {
  MemoryRange range;
  std::string rights;
  std::string name;  // "[heap]", a path, or empty
};

bool parse(const std::string& line, Mapping& mapping) {
  char rights[5] = "";
  int name_at = 0;
  unsigned long start = 0;
  unsigned long end = 0;
  if (std::sscanf(line.c_str(), "%lx-%lx %4s %*s %*s %*s %n", &start, &end, rights, &name_at) < 3) {
    return false;
  }
  mapping = {{start, end}, rights, line.substr(std::min<std::size_t>(static_cast<std::size_t>(name_at), line.size()))};
  return true;
}

bool is_guard_below(const Mapping& below, const Mapping& mapping) {
  return below.rights == "---p" && below.name.empty() && below.range.end == mapping.range.start &&
         below.range.end - below.range.start == kGuardBytes;
}

}  // namespace

std::vector<MemoryRange> shared_ranges(std::istream& maps, std::uint64_t stack_bytes) {
  std::vector<MemoryRange> ranges;
  Mapping below;
  Mapping mapping;
  for (std::string line; std::getline(maps, line); below = mapping) {
    if (!parse(line, mapping) || mapping.rights.substr(0, 2) != "rw" || mapping.rights.back() != 'p' ||
        mapping.name == "[stack]") {
      continue;
    }
    MemoryRange range = mapping.range;
    if (mapping.name.empty() && is_guard_below(below, mapping)) {
      range.start = std::min(range.end, range.start + stack_bytes - kGuardBytes);
    }
    if (range.start < range.end) {
      ranges.push_back(range);
    }
  }
  return ranges;
}

Result<std::vector<MemoryRange>> shared_ranges(pid_t pid) {
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  if (!maps) {
    const int error = errno;
    return fail_errno(error == EACCES || error == EPERM ? ErrorCode::kTargetUnreadable : ErrorCode::kTargetGone,
                      fmt::format("cannot read /proc/{}/maps", pid), error, "Give the service CAP_SYS_PTRACE");
  }
  rlimit limit{};
  const bool known = ::prlimit(pid, RLIMIT_STACK, nullptr, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return shared_ranges(maps, known ? limit.rlim_cur : kUsualStackBytes);
}

}  // namespace raceguard::kernel
