// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/process_figures.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace raceguard::exporting {

ProcessFigures read_process_figures(const std::string& proc_self) {
  ProcessFigures figures;
  std::ifstream statm(proc_self + "/statm");
  std::uint64_t size_pages = 0;
  std::uint64_t resident_pages = 0;
  if (statm >> size_pages >> resident_pages) {
    figures.resident_bytes = resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  std::ifstream stat(proc_self + "/stat");
  std::string line;
  std::getline(stat, line);
  if (const std::size_t comm_end = line.rfind(')'); comm_end != std::string::npos) {
    std::istringstream fields(line.substr(comm_end + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    std::uint64_t user_ticks = 0;  // fields 14 and 15 of proc_pid_stat(5)
    std::uint64_t system_ticks = 0;
    if (fields >> user_ticks >> system_ticks) {
      figures.cpu_seconds =
          static_cast<double>(user_ticks + system_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }
  }
  std::error_code error;
  for (std::filesystem::directory_iterator entry(proc_self + "/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++figures.open_fds;
  }
  return figures;
}

}  // namespace raceguard::exporting
