// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/writable_memory.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/elf_layout.h"

namespace raceguard::symbols {

WritableMemory::WritableMemory(const ElfFile& file) {
  for (const Segment& segment : file.layout().segments()) {
    const Range range{segment.address, segment.address + segment.memory_size};
    if (segment.type == PT_GNU_RELRO) {
      read_only_after_start_.push_back(range);
    } else if (segment.type == PT_LOAD) {
      mapped_.push_back(range);
      if (segment.writable) {
        writable_.push_back(range);
      }
    }
  }
  for (const Section& section : file.layout().sections()) {
    const Range range{section.address, section.address + section.size};
    if ((section.flags & SHF_ALLOC) == 0 || (section.flags & SHF_WRITE) == 0 || (section.flags & SHF_TLS) != 0) {
      continue;
    }
    if (section.name.starts_with(".data.rel.ro")) {
      read_only_after_start_.push_back(range);  // also where the linker was told to leave relro out
    }
    sections_.push_back({range, section.name});
  }
}

bool WritableMemory::any_holds(const std::vector<Range>& ranges, std::uint64_t address) {
  return std::ranges::any_of(ranges, [&](const Range& range) { return range.holds(address); });
}

bool WritableMemory::is_mapped(std::uint64_t address) const { return any_holds(mapped_, address); }

bool WritableMemory::is_writable(std::uint64_t address) const {
  return any_holds(writable_, address) && !any_holds(read_only_after_start_, address);
}

std::string WritableMemory::describe(std::uint64_t address) const {
  for (const auto& [range, name] : sections_) {
    if (range.holds(address)) {
      return fmt::format("{}+{:#x}", name, address - range.start);
    }
  }
  for (const Range& range : writable_) {
    if (range.holds(address)) {
      return fmt::format("data+{:#x}", address - range.start);
    }
  }
  return {};
}

}  // namespace raceguard::symbols
