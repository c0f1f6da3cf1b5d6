// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/deadlock.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "raceguard/clock.h"

namespace raceguard::detect {
namespace {

using ThreadKey = std::pair<pid_t, pid_t>;  // pid, tid

// Where each thread's chain of owners ends up: in one of the knots, or with a thread that works.
class Chains {
 public:
  explicit Chains(std::span<const BlockedThread> blocked) : blocked_(blocked), knot_of_(blocked.size()) {
    for (std::size_t i = 0; i < blocked.size(); ++i) {
      index_.emplace(ThreadKey{blocked[i].pid, blocked[i].tid}, i);
    }
  }

  std::vector<Knot> knots() {
    for (std::size_t i = 0; i < blocked_.size(); ++i) {
      follow(i);
    }
    return std::move(knots_);
  }

 private:
  enum : std::size_t { kUnknown = 0, kOnPath = 1, kNone = 2, kFirstKnot = 3 };

  [[nodiscard]] std::optional<std::size_t> owner_of(std::size_t i) const {
    const auto found = index_.find({blocked_[i].pid, blocked_[i].owner_tid});
    return found == index_.end() ? std::nullopt : std::optional(found->second);
  }

  void follow(std::size_t start) {
    std::vector<std::size_t> path;
    std::optional<std::size_t> at = start;
    while (at && knot_of_[*at] == kUnknown) {
      if (blocked_[*at].owner_tid == 0) {
        add_abandoned(*at);
        break;
      }
      path.push_back(*at);
      knot_of_[*at] = kOnPath;
      at = owner_of(*at);
    }
    std::size_t knot = kNone;
    if (at && knot_of_[*at] != kOnPath) {
      knot = knot_of_[*at];
    } else if (at) {
      const auto ring = std::find(path.begin(), path.end(), *at);
      knot = add_ring({ring, path.end()});
      path.erase(ring, path.end());
    }
    for (const std::size_t i : path) {
      knot_of_[i] = knot;
      if (knot != kNone) {
        ++knots_[knot - kFirstKnot].behind;
      }
    }
  }

  std::size_t add_ring(const std::vector<std::size_t>& members) {
    const auto first = std::min_element(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
      return blocked_[a].tid < blocked_[b].tid;
    });
    Knot knot;
    for (auto member = first; knot.threads.size() < members.size();) {
      knot.threads.push_back(blocked_[*member]);
      knot_of_[*member] = kFirstKnot + knots_.size();
      member = std::next(member) == members.end() ? members.begin() : std::next(member);
    }
    knots_.push_back(std::move(knot));
    return kFirstKnot + knots_.size() - 1;
  }

  void add_abandoned(std::size_t i) {
    const BlockedThread& thread = blocked_[i];
    const auto [entry, is_new] = abandoned_.try_emplace({thread.pid, thread.lock.address}, knots_.size());
    if (is_new) {
      knots_.push_back({.abandoned = true, .threads = {}, .behind = 0});
    }
    knots_[entry->second].threads.push_back(thread);
    knot_of_[i] = kFirstKnot + entry->second;
  }

  std::span<const BlockedThread> blocked_;
  std::map<ThreadKey, std::size_t> index_;
  std::vector<std::size_t> knot_of_;
  std::map<std::pair<pid_t, std::uint64_t>, std::size_t> abandoned_;
  std::vector<Knot> knots_;
};

}  // namespace

std::vector<Knot> knots_of(std::span<const BlockedThread> blocked) { return Chains(blocked).knots(); }

bool same_knot(const Knot& a, const Knot& b) {
  if (a.abandoned != b.abandoned || a.threads.front().pid != b.threads.front().pid) {
    return false;
  }
  if (a.abandoned) {
    return a.threads.front().lock == b.threads.front().lock;
  }
  return std::equal(a.threads.begin(), a.threads.end(), b.threads.begin(), b.threads.end(),
                    [](const BlockedThread& one, const BlockedThread& other) {
                      return one.tid == other.tid && one.lock == other.lock;
                    });
}

std::vector<Knot> KnotJudge::confirm(std::vector<Knot> knots) {
  std::vector<Knot> confirmed;
  std::copy_if(knots.begin(), knots.end(), std::back_inserter(confirmed), [&](const Knot& knot) {
    return std::any_of(before_.begin(), before_.end(), [&](const Knot& other) { return same_knot(knot, other); });
  });
  before_ = std::move(knots);
  return confirmed;
}

// The start of a thread is known to a clock tick.
bool is_stale_owner(std::int64_t owner_started_ns, std::int64_t wait_since_ns) {
  return owner_started_ns > wait_since_ns + 20 * kNsPerMs;
}

}  // namespace raceguard::detect
