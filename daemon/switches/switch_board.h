// SPDX-License-Identifier: Apache-2.0
// Keeps the state of every switch as applications see it, and carries each decision to them over every transport: the
// shared page first (microseconds), then the kernel-held word (milliseconds; up to 0.1 s a binary to take it back).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/breaker/decision.h"
#include "daemon/switches/switch_page.h"
#include "daemon/switches/switch_table.h"
#include "raceguard/clock.h"
#include "raceguard/error.h"

namespace raceguard::switches {

enum class Transport { kPage, kWord };

// How a decision came to one transport.
struct Delivery {
  std::string switch_name;
  Transport transport = Transport::kPage;
  std::uint32_t generation = 0;
  bool retried = false;
  std::int64_t visible_after_ns = 0;  // from the decision to the transport's return; meaningless with errors
  std::vector<Error> errors;          // empty: applications see it
};

class SwitchBoard {
 public:
  // Sets the word of a switch in every binary that has it: 0 closed, 1 open, 2 half-open. An error for each that
  // failed.
  using SetWord = std::function<std::vector<Error>(const std::string& switch_name, unsigned value)>;

  // `page` may be missing (it could not be made): the words alone are enough. `clock` must outlive the board.
  SwitchBoard(std::optional<SwitchPage> page, SetWord set_word, const Clock& clock);

  // Puts switches on the board and the page, closed, so that applications find them before anything happens. Known ones
  // keep their state. An error for each that the page has no room for.
  std::vector<Error> announce(const std::vector<std::string>& names);

  // Decisions that change nothing for applications (mode observe, held back) are left out. What fails on one transport
  // is in its delivery, does not stop the others, and is tried again by tick().
  std::vector<Delivery> carry(const std::vector<breaker::Decision>& decisions);

  // The heartbeat, and what failed before: a delivery for each that now succeeded or fails for another reason.
  std::vector<Delivery> tick();

  // After probes were attached to new binaries: sets the words of all switches that are not closed.
  std::vector<Delivery> reapply_words();

  [[nodiscard]] const SwitchTable& table() const { return table_; }
  [[nodiscard]] const SwitchEntry* find(std::string_view name) const;
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }  // deliveries that failed and wait for tick()

 private:
  struct Pending {
    std::string text;  // of the errors that were last reported
    std::int64_t decided_ns = 0;
  };
  using PendingKey = std::pair<std::string, Transport>;

  SwitchEntry& entry_of(const std::string& name);
  [[nodiscard]] std::vector<Error> send(const SwitchEntry& entry, Transport transport);
  [[nodiscard]] Delivery deliver(const SwitchEntry& entry, Transport transport, std::int64_t decided_ns);

  std::optional<SwitchPage> page_;
  SetWord set_word_;
  const Clock& clock_;
  SwitchTable table_;
  std::map<PendingKey, Pending> pending_;
};

}  // namespace raceguard::switches
