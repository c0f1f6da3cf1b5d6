// SPDX-License-Identifier: Apache-2.0
// From registers and a copy of the stack to the chain of callers. Which method, when a chain is trusted, and what it
// costs: docs/stacks.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/events/event.h"
#include "daemon/events/frame_info_cache.h"
#include "daemon/events/raw_record.h"
#include "daemon/targets/target.h"

namespace raceguard::events {

inline constexpr std::size_t kMaxFrames = 64;

struct Frame {
  std::uint64_t ip = 0;                           // as the process sees it
  bool is_return_address = false;                 // the call is the instruction before
  const targets::MappedBinary* binary = nullptr;  // one of the given mappings; nullptr: in none
  std::uint64_t address = 0;                      // virtual address in the file; 0: unknown
};

struct UnwoundStack {
  std::vector<Frame> frames;  // innermost first
  StackTrust trust = StackTrust::kUntrusted;
  std::size_t reliable_frames = 0;
  bool complete = false;
};

class Unwinder {
 public:
  explicit Unwinder(FrameInfoCacheLimits limits = {}) : cache_(limits) {}

  // `mappings`: the executable mappings of the process. The frames point into it.
  [[nodiscard]] UnwoundStack unwind(const StackRecord& record, std::span<const targets::MappedBinary> mappings);

  // The same by frame information alone, with each frame's registers: of the innermost all; of a caller what its
  // callees keep for it (rbx, rbp, rsp, r12..r15), and the rest as it was found further in. As many as frames.
  [[nodiscard]] UnwoundStack unwind(const StackRecord& record, std::span<const targets::MappedBinary> mappings,
                                    std::vector<Registers>& registers);

  // Only where the record was taken; untrusted, with one reliable frame if that is in a mapping.
  [[nodiscard]] UnwoundStack innermost(const StackRecord& record, std::span<const targets::MappedBinary> mappings);

  [[nodiscard]] const FrameInfoCache& cache() const { return cache_; }

 private:
  Frame make_frame(std::uint64_t ip, bool is_return_address, std::span<const targets::MappedBinary> mappings);
  UnwoundStack by_frame_info(const StackRecord& record, std::span<const targets::MappedBinary> mappings,
                             std::vector<Registers>* of_frames);
  UnwoundStack by_frame_pointers(const StackRecord& record, std::span<const targets::MappedBinary> mappings);

  FrameInfoCache cache_;
};

}  // namespace raceguard::events
