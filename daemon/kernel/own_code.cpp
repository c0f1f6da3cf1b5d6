// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/own_code.h"

#include <bit>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

namespace raceguard::kernel {

std::optional<std::uint64_t> own_file_offset(const void* address) {
  const auto wanted = std::bit_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    std::uint64_t offset = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) == 3 &&
        wanted >= start && wanted < end) {
      return wanted - start + offset;
    }
  }
  return std::nullopt;
}

}  // namespace raceguard::kernel
