// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/ranked_sites.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string_view>
#include <tuple>

#include "daemon/events/lock_functions.h"

namespace raceguard::detect {
namespace {

std::uint64_t site_key(const events::Stack& stack) {
  std::size_t first = events::first_caller(stack);
  first = first < stack.frames.size() ? first : 0;
  const std::size_t last = std::min(first + kFramesOfASite, stack.frames.size());
  std::uint64_t key = 14695981039346656037ULL;  // FNV-1a
  for (std::size_t i = first; i < last; ++i) {
    const symbols::CodeSite& frame = stack.frames[i];
    key = (key ^ frame.address) * 1099511628211ULL;
    key = (key ^ std::hash<std::string_view>{}(frame.binary)) * 1099511628211ULL;
  }
  return key;
}

bool dearer(const RankedSite& a, const RankedSite& b) {
  return std::tie(a.total_wait_ns, a.count) > std::tie(b.total_wait_ns, b.count);
}

events::Stack shortened(events::Stack stack) {
  if (stack.frames.size() > kFramesKept) {
    stack.frames.resize(kFramesKept);
    stack.complete = false;
  }
  stack.reliable_frames = std::min(stack.reliable_frames, stack.frames.size());
  return stack;
}

}  // namespace

void RankedSites::add(const events::LockStackEvent& sample) {
  const std::uint64_t key = site_key(sample.stack);
  auto found = std::find_if(sites_.begin(), sites_.end(), [&](const Entry& entry) { return entry.key == key; });
  if (found == sites_.end()) {
    make_room();
    sites_.push_back({.key = key, .site = {.stack = std::make_shared<const events::Stack>(shortened(sample.stack))}});
    found = sites_.end() - 1;
  }
  found->site.count += 1;
  found->site.total_wait_ns += sample.wait_ns;
  found->site.last_tid = sample.tid;
}

void RankedSites::make_room() {
  if (sites_.size() < kRankedSitesKept) {
    return;
  }
  const auto cheapest = std::min_element(sites_.begin(), sites_.end(),
                                         [](const Entry& a, const Entry& b) { return dearer(b.site, a.site); });
  evicted_ += cheapest->site.count;
  sites_.erase(cheapest);
}

std::vector<RankedSite> RankedSites::ranked() const {
  std::vector<RankedSite> all;
  all.reserve(sites_.size());
  for (const Entry& entry : sites_) {
    all.push_back(entry.site);
  }
  std::stable_sort(all.begin(), all.end(), dearer);
  all.resize(std::min(all.size(), kRankedSitesShown));
  return all;
}

const RankedSite* RankedSites::most_frequent() const {
  const auto found = std::max_element(sites_.begin(), sites_.end(),
                                      [](const Entry& a, const Entry& b) { return a.site.count < b.site.count; });
  return found == sites_.end() ? nullptr : &found->site;
}

std::uint64_t RankedSites::other() const {
  std::uint64_t seen = evicted_;
  for (const Entry& entry : sites_) {
    seen += entry.site.count;
  }
  for (const RankedSite& site : ranked()) {
    seen -= site.count;
  }
  return seen;
}

void RankedSites::clear() {
  for (const Entry& entry : sites_) {
    evicted_ += entry.site.count;
  }
  sites_.clear();
}

}  // namespace raceguard::detect
