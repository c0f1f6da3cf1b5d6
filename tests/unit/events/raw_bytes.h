// SPDX-License-Identifier: Apache-2.0
// Records as the kernel would write them into the ring.
#pragma once

#include <cstddef>
#include <cstring>
#include <vector>

#include "raceguard/abi/bpf.h"

namespace raceguard::events::raw {

inline rg_record_process process(rg_process_event event, rg_u32 tgid) {
  rg_record_process record{};
  record.type = RG_RECORD_PROCESS;
  record.event = event;
  record.tgid = tgid;
  return record;
}

inline rg_record_stack stack(rg_stack_role role, rg_u64 address) {
  rg_record_stack record{};
  record.type = RG_RECORD_STACK;
  record.role = role;
  record.address = address;
  record.time_ns = 1000;
  record.duration_ns = 500;
  record.tgid = 7;
  record.tid = 8;
  return record;
}

inline std::vector<std::byte> bytes(const rg_record_process& record) {
  std::vector<std::byte> made(sizeof record);
  std::memcpy(made.data(), &record, sizeof record);
  return made;
}

inline std::vector<std::byte> bytes(const rg_record_stack& record) {
  std::vector<std::byte> made(RG_STACK_HEADER_BYTES + record.stack_bytes);
  std::memcpy(made.data(), &record, made.size());
  return made;
}

}  // namespace raceguard::events::raw
