// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/deadlock_view.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/json_parts.h"

namespace raceguard::exporting {

nlohmann::json deadlock_json(const detect::Deadlock& deadlock) {
  nlohmann::json threads = nlohmann::json::array();
  for (const detect::DeadlockedThread& thread : deadlock.threads) {
    const bool rwlock = thread.lock_kind == detect::LockKind::kRwlock;
    threads.push_back({{"tid", thread.tid},
                       {"name", text_or_null(thread.name)},
                       {"waits_for",
                        {{"name", thread.lock},
                         {"address", fmt::format("{:#x}", thread.lock_address)},
                         {"kind", rwlock ? "rwlock" : "mutex"}}},
                       {"owner_tid", thread.owner_tid},
                       {"since", time_or_null(thread.since_ns)},
                       {"stack", stack_json(thread.stack)}});
  }
  return {{"pid", deadlock.pid},
          {"process", deadlock.process},
          {"abandoned", deadlock.abandoned},
          {"behind", deadlock.behind},
          {"threads", std::move(threads)}};
}

}  // namespace raceguard::exporting
