// SPDX-License-Identifier: Apache-2.0
// Where a switch's jump goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace raceguard::symbols {

struct CodeAt {
  std::uint64_t address = 0;
  std::span<const std::byte> code;  // begins with the instruction
};

// Up to so many bytes of the file's constant data; fewer where there are no more.
using ReadMemory = std::function<std::vector<std::byte>(std::uint64_t address, std::uint64_t bytes)>;

// `run`: instructions one after the other; the last one jumps. Tables as gcc and clang write them: `lea base, [table]`,
// `movsxd reg, [base + index * 4]`, `add reg, base`, `jmp reg`; or, in code for a fixed place, `jmp [table + index *
// 8]`. All entries from the table's begin on that `is_target` says yes to: what follows a table without a gap counts
// too, which makes ways more, never fewer. Empty: no such table.
[[nodiscard]] std::vector<std::uint64_t> jump_table_targets(std::span<const CodeAt> run, const ReadMemory& read,
                                                            const std::function<bool(std::uint64_t)>& is_target);

}  // namespace raceguard::symbols
