// SPDX-License-Identifier: Apache-2.0
// Where a probe sits cheapest and still sees every call once, with the arguments in place. A hit on an emulated
// instruction costs a tenth of one on a single-stepped one (docs/sites.md), and the first instruction is rarely
// emulated.
#pragma once

#include <cstdint>

#include "daemon/symbols/instruction.h"
#include "daemon/symbols/symbol.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

class ElfFile;

struct SiteOptions {
  // The stack pointer must be at the return address, so that a uretprobe can sit on the same instruction.
  bool need_return_probe = false;
  // So many leading arguments must still be in their registers, 0..6 (Go: 0..9).
  std::uint8_t arguments_needed = 1;
  // Nothing but the stack may have been accessed before: for a probe that has to come before the function's work.
  bool before_accesses = false;
  KernelTreatment kernel;
};

// The candidates in program order, each with its reason, and the choice. Errors: kSymbolNoSite (no code there),
// kSymbolGoProgram (a return probe in a Go program: Go moves stacks, a uretprobe would crash it).
// Not seen: jumps through a table into the entry block; compilers do not place their targets there.
Result<SiteChoice> choose_site(const ElfFile& file, const Symbol& function, const SiteOptions& options = {});

// The chosen site, or kSymbolNoSite with the reasons of all candidates.
Result<Site> chosen_site(const SiteChoice& choice, const ElfFile& file);

}  // namespace raceguard::symbols
