// SPDX-License-Identifier: Apache-2.0
// An event as a few lines of text, for comparing and for reading.
#pragma once

#include <string>

#include "daemon/events/event.h"

namespace raceguard::events {

[[nodiscard]] std::string event_text(const Event& event);

}  // namespace raceguard::events
