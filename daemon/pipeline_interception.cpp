// SPDX-License-Identifier: Apache-2.0
// What the pipeline keeps apart in its targets: the states of switches and proven races go to the desk, what happened
// to the log and the evidence.
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "daemon/export/interceptions_json.h"
#include "daemon/pipeline.h"

namespace raceguard::app {

void Pipeline::keep_apart(std::int64_t now_ns) {
  const InterceptionInput input{.now = {.monotonic_ns = now_ns, .realtime_ns = clock_.realtime_ns()},
                                .switches = desk_.conditions(),
                                .proven = races_.proven(),
                                .fuse_open = budget_.fuse_open()};
  tell(interceptions_.tick(input, races_.book()));
  races_.want(interceptions_.wanted());
}

void Pipeline::tell(const std::vector<exporting::InterceptionRecord>& records) {
  for (const exporting::InterceptionRecord& record : records) {
    const bool is_trouble = record.event == exporting::InterceptionEvent::kWithdrawn ||
                            record.event == exporting::InterceptionEvent::kFailed;
    spdlog::log(is_trouble ? spdlog::level::warn : spdlog::level::info, "{}",
                exporting::interception_record_text(record));
    desk_.note("interception", exporting::interception_record_json(record));
  }
}

}  // namespace raceguard::app
