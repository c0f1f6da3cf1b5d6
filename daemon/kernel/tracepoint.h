// SPDX-License-Identifier: Apache-2.0
// Tracepoints without a mounted tracefs.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/kernel/link.h"
#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {

// A view of tracefs: the mounted one, or else a detached mount that goes away with this object. Never leaves a mount.
class TraceFs {
 public:
  static Result<TraceFs> open();
  // The id of events/GROUP/NAME, for perf_event_open(2).
  [[nodiscard]] Result<std::uint64_t> tracepoint_id(const std::string& group, const std::string& name) const;

 private:
  explicit TraceFs(UniqueFd root) : root_(std::move(root)) {}
  UniqueFd root_;
};

// Runs the program at every hit of the tracepoint on any CPU: one perf event serves all, because BPF programs hang on
// the tracepoint itself.
Result<Link> attach_tracepoint(bpf_program* program, const TraceFs& tracefs, const std::string& group,
                               const std::string& name);

}  // namespace raceguard::kernel
