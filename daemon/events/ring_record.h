// SPDX-License-Identifier: Apache-2.0
// What the decoders of the rings' records share.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "raceguard/error.h"

namespace raceguard::events {

// By memcpy: the ring aligns records to 8 bytes only. The caller has checked that the record reaches so far.
template <typename T>
[[nodiscard]] T field_at(std::span<const std::byte> record, std::size_t offset) {
  T value;
  std::memcpy(&value, record.data() + offset, sizeof value);
  return value;
}

[[nodiscard]] inline tl::unexpected<Error> malformed_record(std::string what) {
  return fail(ErrorCode::kEventMalformed, "ring record " + std::move(what),
              "Daemon and BPF object come from different builds: install both from one package");
}

}  // namespace raceguard::events
