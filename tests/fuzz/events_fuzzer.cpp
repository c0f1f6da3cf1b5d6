// SPDX-License-Identifier: Apache-2.0
// Records of the ring: whatever bytes come, decoding reads inside of them and refuses what it does not know.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "daemon/events/raw_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto record = raceguard::events::decode(bytes);
  if (!record) {
    return 0;
  }
  if (const auto* stack = std::get_if<raceguard::events::StackRecord>(&*record)) {
    const bool inside =
        stack->stack.data() >= bytes.data() && stack->stack.data() + stack->stack.size() <= bytes.data() + bytes.size();
    if (!inside || stack->frame_pointer_ips.size() > RG_FRAME_POINTER_DEPTH) {
      std::abort();
    }
  }
  return 0;
}
