// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/names.h"

#include <elf.h>

#include <algorithm>

#include "daemon/symbols/elf_layout.h"

namespace raceguard::events {

symbols::CodeSite ResolverSymboliser::resolve(const targets::MappedBinary& binary, std::uint64_t address,
                                              bool is_return_address) {
  const auto kind = is_return_address ? symbols::AddressKind::kReturnAddress : symbols::AddressKind::kExact;
  return resolver_.resolve(binary.host_path, address, kind, binary.path);
}

namespace {

bool holds_data(const symbols::ElfFile& file, std::uint64_t address) {
  const auto& segments = file.layout().segments();
  return std::any_of(segments.begin(), segments.end(), [&](const symbols::Segment& segment) {
    return segment.type == PT_LOAD && segment.writable && address >= segment.address &&
           address - segment.address < segment.memory_size;
  });
}

}  // namespace

std::optional<std::string> data_symbol(symbols::Resolver& resolver, std::span<const targets::MappedBinary> mappings,
                                       std::uint64_t address) {
  for (const targets::MappedBinary& mapping : mappings) {
    const auto file = resolver.file(mapping.host_path);
    const auto bias = file ? (*file)->load_bias(mapping.start, mapping.file_offset) : std::nullopt;
    // Only the file whose data holds the address has its symbol table read: mariadbd maps thirty others.
    if (!bias || address < *bias || !holds_data(**file, address - *bias)) {
      continue;
    }
    if (std::string name = (*file)->name_data(address - *bias); !name.empty()) {
      return name;
    }
  }
  return std::nullopt;
}

}  // namespace raceguard::events
