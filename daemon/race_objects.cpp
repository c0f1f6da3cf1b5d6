// SPDX-License-Identifier: Apache-2.0
#include "daemon/race_objects.h"

#include <algorithm>
#include <utility>

#include "daemon/detect/race_name.h"
#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kBelievedNs = kNsPerSecond;
constexpr std::size_t kMostObjects = 64;       // at a time; four registers visit them in turns of 0.2 s
constexpr std::size_t kMostRemembered = 4096;  // members of objects that are gone
constexpr const char* kDoubt =
    "the object was not seen again behind this: its memory may have belonged to another one by then";

// The aligned piece that an address register can cover.
plan::WatchCandidate candidate_at(std::uint64_t address, std::uint64_t size) {
  std::uint32_t length = 8;
  while (length > 1 && (length > size || address % length != 0)) {
    length /= 2;
  }
  return {.address = address, .length = length, .source = plan::WatchSource::kObject};
}

}  // namespace

const RaceObjects::Layout& RaceObjects::layout_of(const std::shared_ptr<const ObjectOrder>& order) {
  const auto known = layouts_.find(order);
  if (known != layouts_.end()) {
    return known->second;
  }
  auto members = lookup_(*order);
  Layout layout;
  if (members) {
    layout.members = std::move(*members);
  } else {
    layout.failure = members.error().to_string();
  }
  return layouts_.emplace(order, std::move(layout)).first->second;
}

std::vector<plan::WatchCandidate> RaceObjects::see(const SeenObject& seen, std::int64_t realtime_offset_ns) {
  auto known = objects_.find(seen.address);
  if (known != objects_.end() && known->second.order != seen.order) {
    return {};  // two functions have it; the members of one are enough
  }
  if (known != objects_.end()) {
    known->second.seen_ns = std::max(known->second.seen_ns, seen.seen_ns);
    for (const std::uint64_t address : known->second.watched) {
      remember(address, seen.seen_ns + realtime_offset_ns);
    }
    return {};
  }
  if (objects_.size() >= kMostObjects) {
    return {};
  }
  const Layout& layout = layout_of(seen.order);
  std::vector<plan::WatchCandidate> candidates;
  Object object{.order = seen.order, .seen_ns = seen.seen_ns, .watched = {}};
  for (const detect::RaceVariable& member : layout.members) {
    const std::uint64_t address = seen.address + member.address;
    detect::RaceVariable variable = member;
    variable.address = address;
    candidates.push_back(candidate_at(address, member.size));
    object.watched.push_back(address);
    watched_.insert_or_assign(address, std::move(variable));
    remember(address, seen.seen_ns + realtime_offset_ns);
  }
  objects_.emplace(seen.address, std::move(object));
  return candidates;
}

void RaceObjects::remember(std::uint64_t address, std::int64_t seen_realtime_ns) {
  if (seen_realtime_ns_.size() >= kMostRemembered && !seen_realtime_ns_.contains(address)) {
    seen_realtime_ns_.erase(std::min_element(seen_realtime_ns_.begin(), seen_realtime_ns_.end(),
                                             [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  std::int64_t& last = seen_realtime_ns_[address];
  last = std::max(last, seen_realtime_ns);
}

std::vector<std::uint64_t> RaceObjects::expire(std::int64_t now_ns) {
  std::vector<std::uint64_t> gone;
  for (auto object = objects_.begin(); object != objects_.end();) {
    if (now_ns - object->second.seen_ns < kBelievedNs) {
      ++object;
      continue;
    }
    for (const std::uint64_t address : object->second.watched) {
      watched_.erase(address);
      gone.push_back(address);
    }
    object = objects_.erase(object);
  }
  return gone;
}

std::optional<detect::RaceVariable> RaceObjects::member_at(std::uint64_t address) const {
  const auto found = watched_.find(address);
  return found == watched_.end() ? std::nullopt : std::optional(found->second);
}

void RaceObjects::doubt(std::vector<detect::RaceFinding>& findings) const {
  for (detect::RaceFinding& finding : findings) {
    if (finding.variable.object_of.empty()) {
      continue;
    }
    const std::uint64_t hash = detect::race_hash(finding);
    const auto seen = seen_realtime_ns_.find(finding.variable.address);
    if (seen != seen_realtime_ns_.end() && seen->second > finding.last_seen_ns) {
      believed_.insert(hash);
    } else if (!believed_.contains(hash)) {
      finding.verdict = detect::Verdict::kInfo;
      finding.caveat = kDoubt;
    }
  }
}

std::vector<std::string> RaceObjects::notes() const {
  std::vector<std::string> notes;
  for (const auto& [order, layout] : layouts_) {
    if (!layout.failure.empty()) {
      notes.push_back("objects of " + order->function + " are not watched: " + layout.failure);
    }
  }
  return notes;
}

}  // namespace raceguard::app
