// SPDX-License-Identifier: Apache-2.0
// Sections inside of a function: when they are better than the whole call, and where they begin and end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/kernel/interceptor.h"
#include "daemon/symbols/inner_sites.h"
#include "daemon/symbols/symbol.h"
#include "raceguard/error.h"

namespace raceguard::symbols {
class ElfFile;
}

namespace raceguard::app {

// The probes of `function` (its binary and symbol are there already) so that `accesses` (offsets of instructions, not
// empty) lie between them. Errors: kUsage (no instruction begins there), kSymbolNoSite, kSymbolGoProgram.
[[nodiscard]] Result<symbols::InnerSites> place_inside(kernel::InterceptedFunction& function,
                                                       const symbols::ElfFile& file,
                                                       const std::vector<std::uint64_t>& accesses,
                                                       std::uint8_t argument);

// For a race whose accesses in the function are these: what is to be kept apart of it. Empty: all of it, because it
// neither calls nor loops outside of the section that they would need, or there is no such section. Else `accesses`,
// and what else of the function accesses the same place as far as its code tells: a lost update needs its read and its
// write kept together, of which a race shows one.
[[nodiscard]] std::vector<std::uint64_t> narrowed(const symbols::ElfFile& file, const symbols::Symbol& function,
                                                  std::vector<std::uint64_t> accesses);

}  // namespace raceguard::app
