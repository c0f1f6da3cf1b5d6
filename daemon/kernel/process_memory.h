// SPDX-License-Identifier: Apache-2.0
// Reads of another process's memory. It runs meanwhile: what is read may be part old, part new.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace raceguard::kernel {

// Copies from `address` upwards; returns how many bytes could be read before the first page that could not. 0 also
// where the process is gone or may not be read.
[[nodiscard]] std::size_t read_memory(pid_t pid, std::uint64_t address, std::span<std::byte> to);

}  // namespace raceguard::kernel
