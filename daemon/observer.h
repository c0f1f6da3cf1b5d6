// SPDX-License-Identifier: Apache-2.0
// Turns what the kernel counted and recorded into figures and findings: events + detect.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "daemon/deadlock_watch.h"
#include "daemon/detect/findings.h"
#include "daemon/detect/function_table.h"
#include "daemon/detect/lock_table.h"
#include "daemon/detect/switch_sums.h"
#include "daemon/events/decoder.h"
#include "daemon/events/names.h"
#include "daemon/prober.h"
#include "daemon/symbols/resolver.h"
#include "daemon/target_mappings.h"

namespace raceguard::app {

class Observer {
 public:
  // `targets` must outlive this object.
  Observer(const targets::TargetSet& targets, std::uint32_t max_locks);
  Observer(const Observer&) = delete;  // its tables hold callbacks to its names
  Observer& operator=(const Observer&) = delete;

  // Reads every record that waits in the ring; process events go to `on_process`.
  [[nodiscard]] Result<void> drain(kernel::Attachment& attachment,
                                   const std::function<void(const events::ProcessEvent&)>& on_process);
  // Once a tick: reads the kernel's counters.
  [[nodiscard]] Result<void> read(kernel::Attachment& attachment, std::int64_t now_ns);
  // Follows a change of the plan.
  void follow(const ProbeChanges& changes);

  // The tick's findings; those that are new, for the log.
  std::vector<detect::Finding> judge(std::int64_t now_ns, std::int64_t realtime_ns);

  // Looks for waits of a process that began while nobody watched its locks: also where they are watched in turns.
  void seek_waits(pid_t pid) { deadlocks_.add_process(pid); }
  // The same for deadlocks: threads of the targets that wait for each other.
  [[nodiscard]] Result<std::vector<detect::Finding>> look_for_deadlocks(const kernel::Attachment& attachment,
                                                                        std::int64_t now_ns, std::int64_t realtime_ns);

  // What another watch found; those that are new, for the log.
  std::vector<detect::Finding> remember(const std::vector<detect::Finding>& found) { return book_.merge(found); }

  // As the kernel counted them, at the last read().
  [[nodiscard]] const std::vector<kernel::FunctionReading>& function_readings() const { return readings_; }
  [[nodiscard]] detect::SwitchSums sums(const detect::SwitchFeed& feed) const;
  [[nodiscard]] const detect::FunctionTable& functions() const { return functions_; }
  [[nodiscard]] const detect::LockTable& locks() const { return locks_; }
  [[nodiscard]] std::vector<detect::Finding> findings() const { return book_.list(); }
  [[nodiscard]] const events::DecoderCounters& decoder_counters() const { return decoder_.counters(); }

 private:
  [[nodiscard]] Result<void> make_room(kernel::Attachment& attachment);
  [[nodiscard]] detect::LockTableOptions lock_options(std::uint32_t max_locks);
  [[nodiscard]] std::string lock_name(const detect::LockId& lock, const detect::LockId& word);

  const targets::TargetSet& targets_;
  TargetMappings mappings_;
  symbols::Resolver resolver_;
  events::ResolverSymboliser symboliser_;
  events::Decoder decoder_;
  detect::LockTable locks_;
  detect::FunctionTable functions_;
  std::vector<kernel::FunctionReading> readings_;
  detect::FindingBook book_;
  DeadlockWatch deadlocks_;
};

}  // namespace raceguard::app
