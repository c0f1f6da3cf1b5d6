// SPDX-License-Identifier: Apache-2.0
// Turns an errno of bpf() or perf_event_open() into an Error whose remedy fits it.
#pragma once

#include <string>

#include "raceguard/error.h"

namespace raceguard::kernel {

// errno 524, which the C library has no name for: the kernel's answer for an instruction that uprobes refuse.
inline constexpr int kErrnoNotSupported = 524;

// What was asked of the kernel; decides the remedy.
enum class Request { kLoad, kMap, kUprobeMulti, kPerfUprobe, kTracepoint, kPerfEvent };

// `error` is positive. `what` says what was tried, on what.
[[nodiscard]] Error kernel_error(Request request, std::string what, int error);

}  // namespace raceguard::kernel
