// SPDX-License-Identifier: Apache-2.0
// Where a function of this program is in its file.
#pragma once

#include <cstdint>
#include <optional>

namespace raceguard::kernel {

inline constexpr const char* kOwnProgram = "/proc/self/exe";

// The file offset of an address of the program's own text; empty if it is not mapped from a file.
[[nodiscard]] std::optional<std::uint64_t> own_file_offset(const void* address);

}  // namespace raceguard::kernel
