// SPDX-License-Identifier: Apache-2.0
#include "daemon/switches/switch_board.h"

#include <algorithm>
#include <utility>

namespace raceguard::switches {
namespace {

unsigned word_value(breaker::State state) {
  switch (state) {
    case breaker::State::kClosed:
      return 0;
    case breaker::State::kOpen:
      return 1;
    case breaker::State::kHalfOpen:
      return 2;
  }
  return 0;
}

std::string text_of(const std::vector<Error>& errors) {
  std::string text;
  for (const Error& error : errors) {
    text += error.to_string() + "\n";
  }
  return text;
}

// Takes a decision over; false if applications see no difference.
bool apply(SwitchEntry& entry, const breaker::Decision& decision) {
  const breaker::State state = decision.enforced ? decision.to : breaker::State::kClosed;
  if (!decision.enforced && entry.state == breaker::State::kClosed) {
    return false;
  }
  if (entry.state != state) {
    entry.since_ns = decision.time_ns;
  }
  entry.state = state;
  entry.allow_share = decision.enforced ? decision.allow_share : 1;
  entry.generation = decision.generation;
  entry.reason = decision.reason;
  return true;
}

}  // namespace

SwitchBoard::SwitchBoard(std::optional<SwitchPage> page, SetWord set_word, const Clock& clock)
    : page_(std::move(page)), set_word_(std::move(set_word)), clock_(clock) {}

const SwitchEntry* SwitchBoard::find(std::string_view name) const {
  const auto found = std::ranges::find(table_.entries, name, &SwitchEntry::name);
  return found != table_.entries.end() ? &*found : nullptr;
}

SwitchEntry& SwitchBoard::entry_of(const std::string& name) {
  const auto found = std::ranges::find(table_.entries, name, &SwitchEntry::name);
  if (found != table_.entries.end()) {
    return *found;
  }
  table_.entries.push_back({.name = name, .since_ns = clock_.monotonic_ns(), .reason = {}});
  return table_.entries.back();
}

std::vector<Error> SwitchBoard::announce(const std::vector<std::string>& names) {
  std::vector<Error> errors;
  for (const std::string& name : names) {
    std::vector<Error> failed = send(entry_of(name), Transport::kPage);
    std::ranges::move(failed, std::back_inserter(errors));
  }
  return errors;
}

std::vector<Delivery> SwitchBoard::carry(const std::vector<breaker::Decision>& decisions) {
  std::vector<std::pair<std::string, std::int64_t>> changed;
  std::vector<Delivery> deliveries;
  for (const breaker::Decision& decision : decisions) {
    SwitchEntry& entry = entry_of(decision.switch_name);
    if (!apply(entry, decision)) {
      continue;
    }
    if (page_) {
      deliveries.push_back(deliver(entry, Transport::kPage, decision.time_ns));
    }
    changed.emplace_back(decision.switch_name, decision.time_ns);
  }
  for (const auto& [name, decided_ns] : changed) {  // a word takes milliseconds: no page waits for it
    deliveries.push_back(deliver(entry_of(name), Transport::kWord, decided_ns));
  }
  return deliveries;
}

std::vector<Delivery> SwitchBoard::tick() {
  if (page_) {
    page_->heartbeat(clock_.monotonic_ns());
  }
  std::vector<Delivery> news;
  for (const auto& [key, before] : std::map(pending_)) {  // a copy: deliver() changes the map
    Delivery delivery = deliver(entry_of(key.first), key.second, before.decided_ns);
    delivery.retried = true;
    if (text_of(delivery.errors) != before.text) {
      news.push_back(std::move(delivery));
    }
  }
  return news;
}

std::vector<Delivery> SwitchBoard::reapply_words() {
  std::vector<Delivery> deliveries;
  const std::int64_t now_ns = clock_.monotonic_ns();
  for (const SwitchEntry& entry : table_.entries) {
    if (entry.state != breaker::State::kClosed) {
      deliveries.push_back(deliver(entry, Transport::kWord, now_ns));
    }
  }
  return deliveries;
}

std::vector<Error> SwitchBoard::send(const SwitchEntry& entry, Transport transport) {
  if (transport == Transport::kWord) {
    return set_word_(entry.name, word_value(entry.state));
  }
  std::vector<Error> errors;
  if (page_) {
    if (auto written = page_->write(entry); !written) {
      errors.push_back(std::move(written).error());
    }
  }
  return errors;
}

Delivery SwitchBoard::deliver(const SwitchEntry& entry, Transport transport, std::int64_t decided_ns) {
  Delivery delivery{.switch_name = entry.name,
                    .transport = transport,
                    .generation = entry.generation,
                    .errors = send(entry, transport)};
  delivery.visible_after_ns = clock_.monotonic_ns() - decided_ns;
  const PendingKey key{entry.name, transport};
  if (delivery.errors.empty()) {
    pending_.erase(key);
  } else {
    pending_[key] = {.text = text_of(delivery.errors), .decided_ns = decided_ns};
  }
  return delivery;
}

}  // namespace raceguard::switches
