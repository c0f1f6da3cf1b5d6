// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/stack_maker.h"

#include <algorithm>
#include <utility>

#include "daemon/events/decoder.h"
#include "raceguard/clock.h"

namespace raceguard::events {
namespace {

// Reading a process's maps costs some 0.2 ms; a broken stack must not make us do it for every sample.
constexpr std::int64_t kRefreshIntervalNs = kNsPerSecond;
constexpr std::size_t kRefreshesRemembered = 1024;

bool left_the_mappings(const UnwoundStack& stack) {
  return std::any_of(stack.frames.begin(), stack.frames.end(),
                     [](const Frame& frame) { return frame.binary == nullptr; });
}

}  // namespace

UnwoundStack StackMaker::unwind(const StackRecord& record) { return unwind_by(&Unwinder::unwind, record); }

UnwoundStack StackMaker::innermost(const StackRecord& record) { return unwind_by(&Unwinder::innermost, record); }

UnwoundStack StackMaker::unwind_by(Unwind way, const StackRecord& record) {
  const auto pid = static_cast<pid_t>(record.tgid);
  UnwoundStack unwound = (unwinder_.*way)(record, mappings_.mappings(pid));
  if (left_the_mappings(unwound) && may_refresh(pid, record.time_ns) && mappings_.refresh(pid)) {
    unwound = (unwinder_.*way)(record, mappings_.mappings(pid));
  }
  return unwound;
}

bool StackMaker::may_refresh(pid_t pid, std::int64_t now_ns) {
  if (refreshed_ns_.size() >= kRefreshesRemembered) {
    refreshed_ns_.clear();
  }
  const auto [entry, is_new] = refreshed_ns_.try_emplace(pid, now_ns);
  if (!is_new && now_ns - entry->second < kRefreshIntervalNs) {
    return false;
  }
  entry->second = now_ns;
  return true;
}

symbols::CodeSite StackMaker::name(const Frame& frame) {
  if (frame.binary != nullptr && frame.address != 0) {
    return symboliser_.resolve(*frame.binary, frame.address, frame.is_return_address);
  }
  symbols::CodeSite site;
  site.address = frame.ip;
  return site;
}

// Inlined functions become frames of their own, as a debugger shows them: who wanted the lock may be one of them.
Stack StackMaker::with_names(const UnwoundStack& unwound) {
  Stack stack;
  stack.trust = unwound.trust;
  stack.complete = unwound.complete;
  for (std::size_t i = 0; i < unwound.frames.size(); ++i) {
    symbols::CodeSite site = name(unwound.frames[i]);
    for (symbols::InlinedCall& call : std::exchange(site.inlined, {})) {
      symbols::CodeSite inlined = site;
      inlined.function = std::move(call.function);
      inlined.source = std::move(call.source);
      stack.frames.push_back(std::move(inlined));
    }
    stack.frames.push_back(std::move(site));
    stack.reliable_frames = i < unwound.reliable_frames ? stack.frames.size() : stack.reliable_frames;
  }
  return stack;
}

}  // namespace raceguard::events
