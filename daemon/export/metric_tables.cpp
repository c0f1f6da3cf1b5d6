// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/metric_tables.h"

#include <algorithm>
#include <set>

#include "raceguard/abi/histogram.h"

namespace raceguard::exporting {
namespace {

constexpr const char* kOther = "other";

// The exported bucket of each of the ABI's buckets.
std::array<std::uint8_t, RG_HISTOGRAM_BUCKETS> coarse_indices() {
  std::array<std::uint8_t, RG_HISTOGRAM_BUCKETS> indices{};
  for (std::uint32_t bucket = 0; bucket < RG_HISTOGRAM_BUCKETS; ++bucket) {
    while (indices.at(bucket) < kBoundCount && rg_histogram_floor_ns(bucket) >= bound_ns(indices.at(bucket))) {
      ++indices.at(bucket);
    }
  }
  return indices;
}

std::array<std::uint64_t, kBoundCount + 1> coarse(const detect::Histogram& histogram) {
  static const auto kIndices = coarse_indices();
  std::array<std::uint64_t, kBoundCount + 1> buckets{};
  for (std::uint32_t bucket = 0; bucket < RG_HISTOGRAM_BUCKETS; ++bucket) {
    buckets.at(kIndices.at(bucket)) += histogram.counts.at(bucket);
  }
  return buckets;
}

// "other" is ours: a lock of that name must not be mixed with the rest.
std::string own_label(const std::string& name) { return name == kOther ? "other_" : name; }

}  // namespace

std::uint64_t bound_ns(std::size_t index) {
  return index + 1 < kBoundCount ? std::uint64_t{1} << (kFirstBoundExponent + index)
                                 : rg_histogram_floor_ns(RG_HISTOGRAM_BUCKETS - 1);
}

Growing& Growing::operator+=(const Growing& other) {
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    buckets.at(i) += other.buckets.at(i);
  }
  events += other.events;
  errors += other.errors;
  slow += other.slow;
  total_ns += other.total_ns;
  cost_ns += other.cost_ns;
  return *this;
}

Growing Growing::since(const Growing& earlier) const {
  bool shrank = events < earlier.events || errors < earlier.errors || slow < earlier.slow ||
                total_ns < earlier.total_ns || cost_ns < earlier.cost_ns;
  Growing difference = *this;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    shrank = shrank || buckets.at(i) < earlier.buckets.at(i);
    difference.buckets.at(i) -= earlier.buckets.at(i);
  }
  difference.events -= earlier.events;
  difference.errors -= earlier.errors;
  difference.slow -= earlier.slow;
  difference.total_ns -= earlier.total_ns;
  difference.cost_ns -= earlier.cost_ns;
  return shrank ? *this : difference;
}

Growing growing_of(const detect::LockFigures& lock) {
  return {.buckets = coarse(lock.wait), .events = lock.waits, .errors = 0, .slow = 0, .total_ns = lock.total_wait_ns};
}

Growing growing_of(const detect::FunctionFigures& function) {
  return {.buckets = coarse(function.latency),
          .events = function.calls,
          .errors = function.errors,
          .slow = function.slow,
          .total_ns = function.total_ns,
          .cost_ns = function.cost_ns};
}

void SeriesTable::choose_names(const std::vector<Source>& sources) {
  std::set<Key> present;
  std::map<Key, std::int64_t> candidates;
  for (const Source& source : sources) {
    if (source.idle) {
      continue;
    }
    const Key key = {source.guard, own_label(source.name), source.detail};
    present.insert(key);
    if (!named_.contains(key)) {
      candidates[key] += source.weight;
    }
  }
  std::erase_if(named_, [&](const auto& entry) { return !present.contains(entry.first); });
  std::vector<std::pair<std::int64_t, Key>> ranked;
  for (const auto& [key, weight] : candidates) {
    ranked.emplace_back(weight, key);
  }
  std::sort(ranked.begin(), ranked.end(), std::greater<>());
  for (std::size_t i = 0; i < ranked.size() && named_.size() < top_k_; ++i) {
    if (ranked[i].first > 0) {  // a silent lock must not take a name that a busy one will need
      named_.emplace(ranked[i].second, Entry{});
    }
  }
}

SeriesTable::Entry& SeriesTable::entry_of(const Source& source) {
  if (source.idle) {
    return idle_[source.guard];
  }
  const auto found = named_.find({source.guard, own_label(source.name), source.detail});
  return found != named_.end() ? found->second : other_[source.guard];
}

void SeriesTable::Entry::begin_look() {
  level = 0;
  added_ns = 0;
  share = 1;
}

void SeriesTable::observe(const std::vector<Source>& sources) {
  choose_names(sources);
  for (auto& [key, entry] : named_) entry.begin_look();
  for (auto& [guard, entry] : other_) entry.begin_look();
  for (auto& [guard, entry] : idle_) entry.begin_look();
  std::map<std::string, Growing> seen;
  for (const Source& source : sources) {
    Entry& entry = entry_of(source);
    const auto before = seen_.find(source.identity);
    entry.sum += before == seen_.end() ? source.now : source.now.since(before->second);
    entry.level += source.level;
    entry.added_ns = std::max(entry.added_ns, source.added_ns);
    entry.share = std::min(entry.share, source.share);
    seen.insert_or_assign(source.identity, source.now);
  }
  seen_ = std::move(seen);
}

std::vector<SeriesTable::Series> SeriesTable::series() const {
  std::vector<Series> all;
  for (const auto& [key, entry] : named_) {
    all.push_back({.guard = key[0],
                   .name = key[1],
                   .detail = key[2],
                   .sum = entry.sum,
                   .level = entry.level,
                   .added_ns = entry.added_ns,
                   .share = entry.share});
  }
  for (const auto& [guard, entry] : other_) {
    all.push_back({.guard = guard,
                   .name = kOther,
                   .detail = kOther,
                   .sum = entry.sum,
                   .level = entry.level,
                   .added_ns = entry.added_ns,
                   .share = entry.share});
  }
  return all;
}

std::vector<SeriesTable::Series> SeriesTable::idle() const {
  std::vector<Series> all;
  for (const auto& [guard, entry] : idle_) {
    all.push_back({.guard = guard, .name = {}, .detail = {}, .sum = entry.sum, .level = entry.level});
  }
  return all;
}

}  // namespace raceguard::exporting
