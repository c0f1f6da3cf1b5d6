// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/process_figures.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "daemon/targets/process_text.h"

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
  const std::string text{std::istreambuf_iterator<char>(stat), {}};
  if (const auto parsed = targets::parse_stat(text)) {
    figures.cpu_seconds = static_cast<double>(parsed->cpu_ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  std::error_code error;
  for (std::filesystem::directory_iterator entry(proc_self + "/fd", error), end; !error && entry != end;
       entry.increment(error)) {
    ++figures.open_fds;
  }
  return figures;
}

}  // namespace raceguard::exporting
