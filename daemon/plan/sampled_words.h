// SPDX-License-Identifier: Apache-2.0
// The words that sampled code touched, and which of them to watch: those of two threads and a write at once, the others
// a few a second, because a busy process touches more words in a second than can be watched in a minute. Pure, on the
// caller's clock.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <vector>

namespace raceguard::plan {

struct SampledWord {
  std::uint64_t address = 0;  // 8-byte aligned
  bool shared = false;        // touched by two threads, with a write
};

class SampledWords {
 public:
  explicit SampledWords(std::size_t max_words = 16'384) : max_words_(max_words) {}

  void add(std::uint64_t address, std::uint32_t width_bytes, pid_t thread, bool writes, std::int64_t now_ns);
  // What is due, the likely ones first.
  std::vector<SampledWord> take(std::int64_t now_ns);

  [[nodiscard]] std::uint64_t words() const { return words_; }    // different ones, so far
  [[nodiscard]] std::uint64_t shared() const { return shared_; }  // of these
  [[nodiscard]] std::uint64_t lost() const { return lost_; }      // there was no room

 private:
  // In the order of choice.
  enum class Rank { kShared, kWritten, kRead };
  struct State {
    pid_t thread = 0;  // the first
    bool two_threads = false;
    bool writes = false;
    bool waits = false;  // in waiting_
    Rank rank = Rank::kRead;
    std::int64_t due_ns = 0;
    std::int64_t offered_ns = -1;
    std::int64_t last_ns = 0;
  };
  using Key = std::tuple<Rank, std::int64_t, std::uint64_t>;
  // The shared in the order that they came, of the others the latest first: there are more than will ever be offered.
  [[nodiscard]] static Key key(const State& state, std::uint64_t word) {
    return {state.rank, state.rank == Rank::kShared ? state.due_ns : -state.due_ns, word};
  }
  void add_word(std::uint64_t word, pid_t thread, bool writes, std::int64_t now_ns);
  [[nodiscard]] bool make_room(std::int64_t now_ns);

  std::size_t max_words_;
  std::map<std::uint64_t, State> states_;
  std::set<Key> waiting_;
  std::int64_t cleared_ns_ = 0;
  std::int64_t allowed_ns_ = 0;  // up to when the less likely ones have had their share
  std::uint64_t words_ = 0;
  std::uint64_t shared_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace raceguard::plan
