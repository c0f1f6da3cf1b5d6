// SPDX-License-Identifier: Apache-2.0
#include "daemon/process_cpu.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>

#include "raceguard/clock.h"

namespace raceguard::app {

std::int64_t process_cpu_ns(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');  // a process may have any name
  if (name_end == std::string::npos) {
    return 0;
  }
  // proc(5): utime and stime are fields 14 and 15; the state behind the name is field 3.
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) {
    fields >> skipped;
  }
  std::int64_t user = 0;
  std::int64_t system = 0;
  fields >> user >> system;
  return (user + system) * (kNsPerSecond / ::sysconf(_SC_CLK_TCK));
}

}  // namespace raceguard::app
