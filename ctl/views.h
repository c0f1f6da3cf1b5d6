// SPDX-License-Identifier: Apache-2.0
// The daemon's documents (docs/api.md) as text for a person. Pure: a document in, lines out.
#pragma once

#include <string>

#include "ctl/document.h"
#include "ctl/text.h"

namespace raceguard::ctl {

[[nodiscard]] std::string status_text(const Doc& document, const Style& style);
[[nodiscard]] std::string targets_text(const Doc& document, const Style& style);
[[nodiscard]] std::string locks_text(const Doc& document, const Style& style);
// The same of each process that the daemon looks at.
[[nodiscard]] std::string daemon_advice_text(const Doc& document, const Style& style);
// A cycle's steps, who holds and wants what where.
[[nodiscard]] std::string orders_text(const Doc& cycle, const Style& style);
// What the daemon's lock bursts do; empty: no policy has any.
[[nodiscard]] std::string burst_lines(const Doc& bursts, const Style& style);
[[nodiscard]] std::string lock_advice_text(const Doc& document, const Style& style);
[[nodiscard]] std::string functions_text(const Doc& document, const Style& style);
[[nodiscard]] std::string switches_text(const Doc& document, const Style& style);
[[nodiscard]] std::string findings_text(const Doc& document, const Style& style);
[[nodiscard]] std::string explain_text(const Doc& document, const Style& style);
// The report of `record`; one of its findings, which the daemon's findings hold too.
[[nodiscard]] std::string race_report_text(const Doc& document, const Style& style);
// One file without references to others. Reads source files that the findings name, where they are here.
[[nodiscard]] std::string race_report_html(const Doc& document);
[[nodiscard]] std::string race_text(const Doc& finding, const Style& style);
// A finding that is no data race; of a deadlock its threads too, with their stacks.
[[nodiscard]] std::string measured_finding_text(const Doc& finding, const Style& style);
// The report of `intercept`.
[[nodiscard]] std::string interception_text(const Doc& document, const Style& style);
// What the daemon keeps apart.
[[nodiscard]] std::string interceptions_text(const Doc& document, const Style& style);
// What findings --suppress did.
[[nodiscard]] std::string suppressed_text(const Doc& document, const Style& style);
// What force, release and reload answered.
[[nodiscard]] std::string acted_text(const Doc& document, const Style& style);

}  // namespace raceguard::ctl
