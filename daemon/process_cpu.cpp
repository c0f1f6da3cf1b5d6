// SPDX-License-Identifier: Apache-2.0
#include "daemon/process_cpu.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include <fmt/format.h>

#include "daemon/targets/process_text.h"
#include "raceguard/clock.h"

namespace raceguard::app {

std::int64_t process_cpu_ns(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto stat = targets::parse_stat(text);
  return stat ? static_cast<std::int64_t>(stat->cpu_ticks) * (kNsPerSecond / ::sysconf(_SC_CLK_TCK)) : 0;
}

}  // namespace raceguard::app
