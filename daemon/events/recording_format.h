// SPDX-License-Identifier: Apache-2.0
// The constants of a recording, described in recording.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace raceguard::events {

inline constexpr std::array<char, 8> kRecordingMagic = {'R', 'G', 'E', 'V', 'E', 'N', 'T', 'S'};
inline constexpr std::uint32_t kRecordingVersion = 1;
inline constexpr std::size_t kRecordingHeaderBytes = 16;

enum class RecordingFrame : std::uint32_t { kRecord = 1, kStack = 2 };

}  // namespace raceguard::events
