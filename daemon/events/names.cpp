// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/names.h"

namespace raceguard::events {

symbols::CodeSite ResolverSymboliser::resolve(const targets::MappedBinary& binary, std::uint64_t address,
                                              bool is_return_address) {
  const auto kind = is_return_address ? symbols::AddressKind::kReturnAddress : symbols::AddressKind::kExact;
  return resolver_.resolve(binary.host_path, address, kind, binary.path);
}

std::optional<std::string> data_symbol(symbols::Resolver& resolver, std::span<const targets::MappedBinary> mappings,
                                       std::uint64_t address) {
  for (const targets::MappedBinary& mapping : mappings) {
    const auto file = resolver.file(mapping.host_path);
    const auto bias = file ? (*file)->load_bias(mapping.start, mapping.file_offset) : std::nullopt;
    if (!bias || address < *bias) {
      continue;
    }
    if (std::string name = (*file)->name_data(address - *bias); !name.empty()) {
      return name;
    }
  }
  return std::nullopt;
}

}  // namespace raceguard::events
