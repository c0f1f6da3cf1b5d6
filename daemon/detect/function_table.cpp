// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/function_table.h"

#include <algorithm>

#include "daemon/detect/counters.h"

namespace raceguard::detect {
namespace {

bool started_anew(const rg_function_counters& now, const rg_function_counters& before) {
  return now.calls < before.calls || now.returns < before.returns || now.total_ns < before.total_ns;
}

}  // namespace

FunctionSums& FunctionSums::operator+=(const FunctionSums& other) {
  calls += other.calls;
  returns += other.returns;
  errors += other.errors;
  slow += other.slow;
  total_ns += other.total_ns;
  longest_ns = std::max(longest_ns, other.longest_ns);
  return *this;
}

void FunctionTable::define(const FunctionDefinition& definition) {
  Entry& entry = entries_[definition.function_id];
  const FunctionDefinition& old = entry.definition;
  if (old.guard != definition.guard || old.name != definition.name || old.symbol != definition.symbol) {
    entry = Entry{};
  }
  entry.definition = definition;
  entry.figures.function_id = definition.function_id;
  entry.figures.guard = definition.guard;
  entry.figures.name = definition.name;
  entry.figures.symbol = definition.symbol;
}

void FunctionTable::forget(std::uint32_t function_id) { entries_.erase(function_id); }

void FunctionTable::update(std::int64_t now_ns, std::span<const FunctionInput> readings) {
  for (auto& [id, entry] : entries_) {
    entry.tick = {};
  }
  for (const FunctionInput& reading : readings) {
    const auto found = entries_.find(reading.function_id);
    if (found == entries_.end()) {
      continue;
    }
    Entry& entry = found->second;
    const rg_function_counters& now = reading.counters;
    if (started_anew(now, entry.last)) {
      entry.last = {};
    }
    const Histogram added = added_histogram(now.histogram, entry.last.histogram);
    entry.tick = {.calls = now.calls - entry.last.calls,
                  .returns = now.returns - entry.last.returns,
                  .errors = added_count(now.errors, entry.last.errors),
                  .slow = added_count(now.slow, entry.last.slow),
                  .total_ns = static_cast<std::int64_t>(now.total_ns - entry.last.total_ns),
                  .longest_ns = std::min(added.quantile_ns(1), static_cast<std::int64_t>(now.max_ns))};
    FunctionFigures& figures = entry.figures;
    figures.calls += entry.tick.calls;
    figures.returns += entry.tick.returns;
    figures.errors += entry.tick.errors;
    figures.slow += entry.tick.slow;
    figures.total_ns += entry.tick.total_ns;
    figures.max_ns = std::max(figures.max_ns, static_cast<std::int64_t>(now.max_ns));
    entry.awaited += added_count(now.awaited, entry.last.awaited);
    const std::uint64_t outstanding = entry.awaited > figures.returns ? entry.awaited - figures.returns : 0;
    figures.in_flight = outstanding << entry.definition.return_shift;
    figures.latency += added;
    entry.last = now;
    entry.recent.add(now_ns, entry.tick);
  }
}

std::vector<FunctionFigures> FunctionTable::figures() const {
  std::vector<FunctionFigures> all;
  all.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) {
    all.push_back(entry.figures);
  }
  return all;
}

std::vector<FunctionDelta> FunctionTable::last_tick() const {
  std::vector<FunctionDelta> all;
  for (const auto& [id, entry] : entries_) {
    if (entry.tick.calls != 0 || entry.tick.returns != 0) {
      all.push_back({.definition = &entry.definition, .sums = entry.tick});
    }
  }
  return all;
}

std::vector<FunctionDelta> FunctionTable::recent(std::int64_t now_ns) const {
  std::vector<FunctionDelta> all;
  for (const auto& [id, entry] : entries_) {
    all.push_back({.definition = &entry.definition, .sums = entry.recent.sum(now_ns)});
  }
  return all;
}

}  // namespace raceguard::detect
