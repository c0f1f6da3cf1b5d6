// SPDX-License-Identifier: Apache-2.0
// Names of code and data of a process, by the resolver of the symbols stage.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "daemon/events/decoder.h"
#include "daemon/symbols/resolver.h"
#include "daemon/targets/target.h"

namespace raceguard::events {

class ResolverSymboliser final : public Symboliser {
 public:
  explicit ResolverSymboliser(symbols::Resolver& resolver) : resolver_(resolver) {}
  [[nodiscard]] symbols::CodeSite resolve(const targets::MappedBinary& binary, std::uint64_t address,
                                          bool is_return_address) override;

 private:
  symbols::Resolver& resolver_;
};

// "inventory_lock", "table+0x28": the global variable of one of the mapped binaries that holds the run-time address.
// Empty: the address is on the heap or on a stack, or the binary has no name for it.
[[nodiscard]] std::optional<std::string> data_symbol(symbols::Resolver& resolver,
                                                     std::span<const targets::MappedBinary> mappings,
                                                     std::uint64_t address);

}  // namespace raceguard::events
