// SPDX-License-Identifier: Apache-2.0
// Which address is watched next: there are thousands, and four address registers. The likely ones first: named by the
// user, then touched by two threads and written, then seen changing, then never looked at, then the rest by the time
// they have rested. Each fourth choice is the one that waited longest, so that nothing starves. Pure, on the caller's
// clock.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>

namespace raceguard::plan {

enum class WatchSource { kNamed, kObject, kGlobal, kChanged, kNearLock, kSampled };

struct WatchCandidate {
  std::uint64_t address = 0;
  std::uint32_t length = 8;  // 1, 2, 4, 8
  WatchSource source = WatchSource::kGlobal;
  bool shared = false;  // two threads touch it, and one writes, as far as its source can tell
};

// What a visit to an address saw.
struct WatchOutcome {
  std::uint64_t hits = 0;
  unsigned threads = 0;   // 2 stands for two and more
  bool writes = false;    // by plain instructions
  bool harmless = false;  // it is accessed atomically, and not written otherwise
  bool proven = false;
  bool failed = false;  // the kernel refused the address
  bool wanted = false;  // somebody counts what happens there: it is to be seen again within a second
};

struct RotationCoverage {
  std::size_t candidates = 0;
  std::size_t visited = 0;    // watched at least once
  std::size_t touched = 0;    // by anyone while watched
  std::size_t shared = 0;     // by two threads
  std::int64_t armed_ns = 0;  // all visits together
  std::uint64_t bytes = 0;
  std::uint64_t visited_bytes = 0;
};

class WatchRotation {
 public:
  explicit WatchRotation(std::size_t max_candidates = 262'144) : max_candidates_(max_candidates) {}

  // A new candidate, or a sign of life of a known one: it is due at once unless it is armed or was found harmless.
  // False: there is no room.
  bool offer(const WatchCandidate& candidate, std::int64_t now_ns);
  void withdraw(std::uint64_t address);
  // One that is known is due now, however long it was to rest.
  void wake(std::uint64_t address, std::int64_t now_ns);

  // The next one, taken out until give_back(); nothing: none is due, and none rests that two threads share.
  std::optional<WatchCandidate> take(std::int64_t now_ns);
  void give_back(const WatchCandidate& candidate, const WatchOutcome& outcome, std::int64_t armed_ns,
                 std::int64_t now_ns);

  // How long the visit should last, by what it saw so far. `is_scarce`: the time in which anything may be watched is
  // (ArmedTime), and holds come the closer together.
  [[nodiscard]] static std::int64_t dwell_ns(const WatchCandidate& candidate, const WatchOutcome& so_far,
                                             bool is_scarce);
  [[nodiscard]] RotationCoverage coverage() const;

 private:
  // In the order of choice.
  enum class Rank { kNamed, kShared, kChanged, kNew, kResting };
  using Queue = std::set<std::tuple<std::int64_t, std::uint64_t>>;  // due, address
  struct State {
    WatchCandidate candidate;
    Rank rank = Rank::kNew;
    std::int64_t due_ns = 0;
    unsigned fruitless = 0;  // visits of the last kind in a row
    bool armed = false;
    bool visited = false;
    bool touched = false;
    bool shared = false;
    bool harmless = false;
  };
  void enqueue(State& state, Rank rank, std::int64_t due_ns);
  void dequeue(const State& state);
  std::optional<std::uint64_t> first_due(std::int64_t now_ns) const;
  std::optional<std::uint64_t> longest_waiting(std::int64_t now_ns) const;
  void count(const State& state, int sign);

  std::size_t max_candidates_;
  std::map<std::uint64_t, State> states_;
  std::array<Queue, 5> queues_;
  std::uint64_t takes_ = 0;
  RotationCoverage coverage_;
};

}  // namespace raceguard::plan
