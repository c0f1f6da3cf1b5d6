// SPDX-License-Identifier: Apache-2.0
#include "daemon/observer.h"

#include <variant>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace raceguard::app {
namespace {

detect::FunctionDefinition definition_of(const plan::FunctionProbe& probe) {
  return {.function_id = probe.function_id,
          .guard = probe.guard,
          .name = probe.name,
          .symbol = probe.symbol.demangled,
          .slow_ns = probe.slow_ns,
          .return_shift = probe.return_shift};
}

}  // namespace

Observer::Observer(const targets::TargetSet& targets, std::uint32_t max_locks)
    : targets_(targets),
      mappings_(targets),
      symboliser_(resolver_),
      decoder_(mappings_, symboliser_),
      locks_(lock_options(max_locks)),
      deadlocks_({.targets = targets,
                  .stacks = decoder_.stacks(),
                  .lock_name = [this](const detect::LockId& lock, const detect::LockId& word) {
                    return lock_name(lock, word);
                  }}) {}

// A lock that nobody ever got after a wait has no sample to be named by.
std::string Observer::lock_name(const detect::LockId& lock, const detect::LockId& word) {
  if (auto symbol = events::data_symbol(resolver_, mappings_.mappings(lock.pid), lock.address)) {
    return *symbol;
  }
  const std::string known = locks_.name_of(word);
  return known.empty() ? fmt::format("lock at {:#x}", lock.address) : known;
}

detect::LockTableOptions Observer::lock_options(std::uint32_t max_locks) {
  return {.max_locks = max_locks,
          .data_symbol =
              [this](const detect::LockId& lock) {
                return events::data_symbol(resolver_, mappings_.mappings(lock.pid), lock.address);
              },
          .guard_of =
              [this](pid_t pid) {
                const targets::Target* target = targets_.find(pid);
                return target == nullptr ? std::string{} : target->guard;
              }};
}

Result<void> Observer::drain(kernel::Attachment& attachment,
                             const std::function<void(const events::ProcessEvent&)>& on_process) {
  const auto drained = attachment.drain([&](std::span<const std::byte> bytes) {
    auto event = decoder_.decode(bytes);
    if (!event) {
      // Counted by the decoder; a stream of them means that daemon and BPF object do not belong together.
      spdlog::debug("{}", event.error().to_string());
      return;
    }
    if (const auto* process = std::get_if<events::ProcessEvent>(&*event)) {
      on_process(*process);
    } else {
      locks_.add(std::get<events::LockStackEvent>(*event));
    }
  });
  if (!drained) {
    return fail(drained.error());
  }
  return {};
}

Result<void> Observer::read(kernel::Attachment& attachment, std::int64_t now_ns) {
  auto functions = attachment.read_functions();
  if (!functions) {
    return fail(functions.error());
  }
  readings_ = std::move(*functions);
  std::vector<detect::FunctionInput> function_inputs;
  function_inputs.reserve(readings_.size());
  for (const kernel::FunctionReading& reading : readings_) {
    function_inputs.push_back({.function_id = reading.function_id, .counters = reading.sum});
  }
  functions_.update(now_ns, function_inputs);

  const auto locks = attachment.read_locks();
  if (!locks) {
    return fail(locks.error());
  }
  std::vector<detect::LockInput> lock_inputs;
  lock_inputs.reserve(locks->size());
  for (const kernel::LockReading& reading : *locks) {
    lock_inputs.push_back({.key = reading.key, .counters = reading.counters});
  }
  locks_.update(now_ns, lock_inputs);
  return make_room(attachment);
}

// The table of locks forgets the idlest ones when it fills up; the kernel's map must forget the same ones.
Result<void> Observer::make_room(kernel::Attachment& attachment) {
  std::vector<rg_lock_key> keys;
  for (const detect::LockId& id : locks_.make_room()) {
    keys.push_back({.address = id.address, .tgid = static_cast<rg_u32>(id.pid), .pad = 0});
  }
  if (keys.empty()) {
    return {};
  }
  if (auto forgotten = attachment.forget_locks(keys); !forgotten) {
    return fail(forgotten.error());
  }
  return {};
}

void Observer::follow(const ProbeChanges& changes) {
  for (const std::uint32_t id : changes.difference.remove_functions) {
    functions_.forget(id);
  }
  for (const plan::FunctionProbe& probe : changes.difference.add_functions) {
    functions_.define(definition_of(probe));
  }
  for (const plan::FunctionProbe& probe : changes.difference.update_functions) {
    functions_.define(definition_of(probe));
  }
  for (const plan::TargetEntry& entry : changes.difference.add_targets) {
    if (entry.contention) {
      deadlocks_.add_process(entry.id.pid);
    }
  }
  for (const pid_t pid : changes.forget_processes) {
    deadlocks_.forget_process(pid);
    locks_.forget_process(pid);
  }
}

std::vector<detect::Finding> Observer::judge(std::int64_t now_ns, std::int64_t realtime_ns) {
  return book_.merge(detect::detect_findings(functions_, locks_, now_ns, realtime_ns));
}

Result<std::vector<detect::Finding>> Observer::look_for_deadlocks(const kernel::Attachment& attachment,
                                                                  std::int64_t now_ns, std::int64_t realtime_ns) {
  const auto found = deadlocks_.look(attachment, now_ns, realtime_ns);
  if (!found) {
    return fail(found.error());
  }
  return book_.merge(*found);
}

detect::SwitchSums Observer::sums(const detect::SwitchFeed& feed) const {
  return detect::switch_sums(feed, functions_, locks_);
}

}  // namespace raceguard::app
