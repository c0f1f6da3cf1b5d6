// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/sampled_words.h"

#include <algorithm>

#include "raceguard/clock.h"

namespace raceguard::plan {
namespace {

constexpr std::uint64_t kWord = 8;
constexpr std::uint64_t kWordsOfOne = 8;                // of one wide access
constexpr std::int64_t kOtherPeriodNs = 25 * kNsPerMs;  // 40 a second, a quarter of what four registers can look at
constexpr std::int64_t kOtherBurst = 8;
constexpr std::int64_t kAgainNs = 2'000 * kNsPerMs;  // a word that is still touched is offered again
constexpr std::int64_t kForgetNs = 10'000 * kNsPerMs;
constexpr std::int64_t kClearPeriodNs = 1'000 * kNsPerMs;  // it walks over all

}  // namespace

void SampledWords::add(std::uint64_t address, std::uint32_t width_bytes, pid_t thread, bool writes,
                       std::int64_t now_ns) {
  const std::uint64_t first = address & ~(kWord - 1);
  const std::uint64_t last = (address + std::max(width_bytes, 1U) - 1) & ~(kWord - 1);
  for (std::uint64_t word = first; word <= last && word < first + kWordsOfOne * kWord; word += kWord) {
    add_word(word, thread, writes, now_ns);
  }
}

bool SampledWords::make_room(std::int64_t now_ns) {
  if (states_.size() < max_words_) {
    return true;
  }
  if (now_ns - cleared_ns_ < kClearPeriodNs) {
    return false;
  }
  cleared_ns_ = now_ns;
  std::erase_if(states_, [&](const auto& entry) {
    const auto& [word, state] = entry;
    const bool old = now_ns - state.last_ns > kForgetNs;
    if (old && state.waits) {
      waiting_.erase(key(state, word));
    }
    return old;
  });
  return states_.size() < max_words_;
}

void SampledWords::add_word(std::uint64_t word, pid_t thread, bool writes, std::int64_t now_ns) {
  auto found = states_.find(word);
  if (found == states_.end()) {
    if (!make_room(now_ns)) {
      ++lost_;
      return;
    }
    found = states_.emplace(word, State{.thread = thread}).first;
    ++words_;
  }
  State& state = found->second;
  const bool was_shared = state.two_threads && state.writes;
  state.two_threads = state.two_threads || state.thread != thread;
  state.writes = state.writes || writes;
  state.last_ns = now_ns;
  const bool is_shared = state.two_threads && state.writes;
  shared_ += is_shared && !was_shared ? 1 : 0;
  const bool news = state.offered_ns < 0 || (is_shared && !was_shared) || now_ns - state.offered_ns >= kAgainNs;
  if (!news && !state.waits) {
    return;
  }
  const bool keeps_its_place = state.waits && was_shared;
  if (state.waits) {
    waiting_.erase(key(state, word));
  }
  state.due_ns = keeps_its_place ? state.due_ns : now_ns;
  state.rank = is_shared ? Rank::kShared : state.writes ? Rank::kWritten : Rank::kRead;
  state.waits = true;
  waiting_.insert(key(state, word));
}

std::vector<SampledWord> SampledWords::take(std::int64_t now_ns) {
  std::vector<SampledWord> taken;
  allowed_ns_ = std::max(allowed_ns_, now_ns - kOtherBurst * kOtherPeriodNs);
  while (!waiting_.empty()) {
    const auto [rank, order, word] = *waiting_.begin();
    if (rank != Rank::kShared) {
      if (allowed_ns_ + kOtherPeriodNs > now_ns) {
        break;
      }
      allowed_ns_ += kOtherPeriodNs;
    }
    waiting_.erase(waiting_.begin());
    State& state = states_.at(word);
    state.waits = false;
    state.offered_ns = now_ns;
    taken.push_back({.address = word, .shared = rank == Rank::kShared});
  }
  return taken;
}

}  // namespace raceguard::plan
