// SPDX-License-Identifier: Apache-2.0
// What the kernel makes of an instruction under a uprobe, after arch/x86/kernel/uprobes.c (6.1 to 6.18).
#pragma once

#include <Zydis/Zydis.h>

#include <cstddef>
#include <span>
#include <string>

#include "daemon/symbols/instruction.h"

namespace raceguard::symbols {

struct Treatment {
  SiteKind kind;
  std::string reason;
};

Treatment treat(const ZydisDecodedInstruction& instruction, std::span<const std::byte> bytes, bool is_entry,
                const KernelTreatment& kernel);

}  // namespace raceguard::symbols
