// SPDX-License-Identifier: Apache-2.0
// Stacks of processes whose mappings may be behind the times.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <span>

#include "daemon/events/event.h"
#include "daemon/events/raw_record.h"
#include "daemon/events/unwinder.h"
#include "daemon/targets/target.h"

namespace raceguard::events {

class MappingSource;
class Symboliser;

class StackMaker {
 public:
  StackMaker(MappingSource& mappings, Symboliser& symboliser) : mappings_(mappings), symboliser_(symboliser) {}

  // The frames point into the mappings of the process: good until the next call.
  [[nodiscard]] UnwoundStack unwind(const StackRecord& record);
  // The innermost frame alone.
  [[nodiscard]] UnwoundStack innermost(const StackRecord& record);
  // Inlined functions become frames of their own, as a debugger shows them.
  [[nodiscard]] Stack with_names(const UnwoundStack& unwound);

  // The process has another image, or its pid another owner.
  void forget(pid_t pid) { refreshed_ns_.erase(pid); }
  [[nodiscard]] const FrameInfoCache& cache() const { return unwinder_.cache(); }

 private:
  using Unwind = UnwoundStack (Unwinder::*)(const StackRecord&, std::span<const targets::MappedBinary>);
  UnwoundStack unwind_by(Unwind way, const StackRecord& record);
  bool may_refresh(pid_t pid, std::int64_t now_ns);
  [[nodiscard]] symbols::CodeSite name(const Frame& frame);

  MappingSource& mappings_;
  Symboliser& symboliser_;
  Unwinder unwinder_;
  std::map<pid_t, std::int64_t> refreshed_ns_;
};

}  // namespace raceguard::events
