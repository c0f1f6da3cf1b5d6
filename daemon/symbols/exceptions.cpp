// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/exceptions.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/elf_layout.h"

namespace raceguard::symbols {
namespace {

// Not _Unwind_Resume: libc.a brings it into C programs.
constexpr std::array<std::string_view, 3> kNames = {"__gxx_personality_v0", "rust_eh_personality", "__cxa_throw"};
// Of a CIE whose functions have a personality and landing pads: in a stripped static program nothing else tells.
constexpr std::string_view kLandingPads("zPLR\0", 5);
constexpr std::uint64_t kMostBytes = 64U << 20U;

bool holds_any(const ElfFile& file, std::string_view section_name, std::span<const std::string_view> wanted) {
  const Section* section = file.layout().section(section_name);
  if (section == nullptr) {
    return false;
  }
  const auto bytes = file.source().read(section->offset, std::min(section->size, kMostBytes));
  if (!bytes) {
    return false;
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return std::ranges::any_of(wanted, [&](std::string_view name) { return text.find(name) != std::string_view::npos; });
}

}  // namespace

bool may_see_exceptions(const ElfFile& file) {
  constexpr std::array kPads = {kLandingPads};
  return holds_any(file, ".dynstr", kNames) || holds_any(file, ".strtab", kNames) ||
         (file.layout().section(".dynstr") == nullptr && holds_any(file, ".eh_frame", kPads));
}

}  // namespace raceguard::symbols
