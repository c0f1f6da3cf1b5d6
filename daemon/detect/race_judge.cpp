// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/race_judge.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "daemon/detect/site_text.h"
#include "daemon/events/lock_functions.h"

namespace raceguard::detect {
namespace {

using events::AccessEvent;
using symbols::AccessMode;
using symbols::VariableKind;

constexpr std::size_t kMostFacts = 65536;      // instructions whose facts are kept
constexpr std::size_t kMostAddresses = 65536;  // addresses known to be atomic, or read
constexpr std::size_t kMostPairs = 64;         // holds of one order whose held access was not told yet

bool in_library_lock(const AccessEvent& event) {
  return !event.stack.frames.empty() && events::is_in_library_lock(event.stack.frames.front());
}

bool holds(const AccessEvent& event, std::size_t lock) { return event.lock_states.at(lock) == RG_LOCK_IS_MINE; }

std::vector<RaceLock> uneven_locks(const WatchSubject& subject, const AccessEvent& first, const AccessEvent& second) {
  std::vector<RaceLock> locks;
  for (std::size_t i = 0; i < subject.locks.size() && i < RG_CANDIDATE_LOCKS; ++i) {
    if (holds(first, i) != holds(second, i)) {
      locks.push_back({.name = subject.locks[i].name,
                       .address = subject.locks[i].address,
                       .held_by_first = holds(first, i),
                       .held_by_second = holds(second, i),
                       .held_share = 0});
    }
  }
  return locks;
}

int rank(Verdict verdict) { return verdict == Verdict::kProven ? 0 : verdict == Verdict::kLikely ? 1 : 2; }

std::uint64_t sum_of(const std::vector<SiteCounts>& sites) {
  std::uint64_t sum = 0;
  for (const SiteCounts& site : sites) {
    sum += site.count;
  }
  return sum;
}

std::uint64_t held_of(const std::vector<SiteCounts>& sites, std::size_t lock) {
  std::uint64_t sum = 0;
  for (const SiteCounts& site : sites) {
    sum += std::min(site.held.at(lock), site.count);
  }
  return sum;
}

// In the function whose argument it is a member of, the access is one of that type.
bool has_type(const RaceVariable& variable, const AccessEvent& event) {
  return variable.object_of.empty() ||
         (!event.stack.frames.empty() && event.stack.frames.front().function == variable.object_of);
}

}  // namespace

RaceJudge::RaceJudge(RaceJudgeOptions options) : options_(std::move(options)) {}

void RaceJudge::begin(std::uint64_t generation, WatchSubject subject) {
  orders_.insert_or_assign(generation, Order{.subject = std::move(subject),
                                             .pairs = {},
                                             .seen = {},
                                             .value_changes = {},
                                             .proven = false,
                                             .plain_write = false,
                                             .undecoded = false});
}

void RaceJudge::end(std::uint64_t generation, std::int64_t armed_ns) {
  const auto order = orders_.find(generation);
  if (order == orders_.end()) {
    return;
  }
  const RaceVariable& variable = order->second.subject.variable;
  for (auto& [key, entry] : findings_) {
    // The members of all objects go by one name; a word of the heap has its address for a name.
    if (entry.finding.variable.name == variable.name && entry.finding.variable.binary == variable.binary) {
      entry.finding.watched_ns += armed_ns;
    }
  }
  orders_.erase(order);
}

AccessFacts RaceJudge::facts(const AccessEvent& event) {
  const auto known = facts_.find(event.ip);
  if (known != facts_.end()) {
    return known->second;
  }
  if (facts_.size() >= kMostFacts) {
    facts_.clear();
  }
  return facts_[event.ip] = options_.facts ? options_.facts(event) : AccessFacts{};
}

WatchedBytes RaceJudge::bytes(const Order& order) const {
  return {.address = order.subject.address,
          .length = order.subject.length,
          .kind = order.subject.variable.kind,
          .atomic_access_seen = atomic_addresses_.contains(order.subject.address),
          .plain_read_seen = read_addresses_.contains(order.subject.address)};
}

WatchedBytes RaceJudge::bytes(const Order& order, const AccessEvent& one, const AccessEvent& other) const {
  WatchedBytes watched = bytes(order);
  if (!has_type(order.subject.variable, one) && !has_type(order.subject.variable, other)) {
    watched.kind = VariableKind::kUnknown;
  }
  return watched;
}

void RaceJudge::remember(Order& order, const AccessEvent& event) {
  if (!order.seen.emplace(event.ip, event).second) {
    return;
  }
  const auto access = watched_access(event, bytes(order));
  if (!access) {
    order.undecoded = true;
    return;
  }
  if (is_atomic(access->access, facts(event))) {
    if (atomic_addresses_.size() < kMostAddresses) {
      atomic_addresses_.insert(order.subject.address);
    }
  } else if (access->access.mode != AccessMode::kRead) {
    order.plain_write = true;
  } else if (!facts(event).part_of_update && read_addresses_.size() < kMostAddresses) {
    read_addresses_.insert(order.subject.address);
  }
}

void RaceJudge::add(const AccessEvent& event, std::int64_t realtime_ns) {
  const auto found = orders_.find(event.generation);
  if (found == orders_.end()) {
    return;
  }
  Order& order = found->second;
  remember(order, event);
  if (event.role == RG_ACCESS_OVERLAPS || (event.role == RG_ACCESS_HELD && event.overlaps > 0)) {
    pair_up(order, event, realtime_ns);
  } else if (event.role == RG_ACCESS_HELD) {
    judge_value_change(order, event, realtime_ns);
  }
}

rg_access_mode RaceJudge::mode_of(const AccessEvent& event) {
  const auto found = orders_.find(event.generation);
  const auto access = found == orders_.end() ? std::nullopt : watched_access(event, bytes(found->second));
  if (!access) {
    return RG_ACCESS_MODE_UNKNOWN;
  }
  const bool reads = access->access.mode == AccessMode::kRead;
  if (is_atomic(access->access, facts(event))) {
    return reads ? RG_ACCESS_MODE_ATOMIC_READ : RG_ACCESS_MODE_ATOMIC;
  }
  return reads ? RG_ACCESS_MODE_READ : RG_ACCESS_MODE_UNKNOWN;
}

// The two sides of a pair come in either order; the other thread may be told while the held one still is.
void RaceJudge::pair_up(Order& order, const AccessEvent& event, std::int64_t realtime_ns) {
  if (order.pairs.size() >= kMostPairs) {
    order.pairs.erase(order.pairs.begin());
  }
  Pair& pair = order.pairs[event.pair];
  if (event.role == RG_ACCESS_HELD) {
    for (const AccessEvent& other : pair.overlaps) {
      judge_overlap(order, event, other, realtime_ns);
    }
    pair.overlaps.clear();
    pair.held.push_back(event);
  } else if (pair.held.empty()) {
    pair.overlaps.push_back(event);
  } else {
    judge_overlap(order, pair.held.front(), event, realtime_ns);
  }
}

RaceSite RaceJudge::site(const Order& order, const AccessEvent& event) {
  RaceSite made;
  if (!event.stack.frames.empty()) {
    made.code = event.stack.frames.front();
  }
  if (event.instruction) {
    made.instruction = event.instruction->text;
  }
  if (const auto access = watched_access(event, bytes(order))) {
    made.mode = access->access.mode;
    made.atomic = is_atomic(access->access, facts(event)) || order.subject.variable.kind == VariableKind::kAtomic;
    made.width_bytes = access->access.width_bytes;
  }
  made.tid = event.tid;
  made.thread_name = options_.thread_name ? options_.thread_name(event.tid) : std::string{};
  made.stack = event.stack;
  return made;
}

void RaceJudge::judge_overlap(Order& order, const AccessEvent& held, const AccessEvent& other,
                              std::int64_t realtime_ns) {
  ++counters_.pairs;
  if (in_library_lock(held) && in_library_lock(other)) {
    ++counters_.both_atomic;
    return;
  }
  const PairJudgement judgement = judge_pair({&held, facts(held)}, {&other, facts(other)}, bytes(order, held, other));
  switch (judgement.outcome) {
    case PairOutcome::kRace:
      ++counters_.races;
      break;
    case PairOutcome::kBothRead:
      ++counters_.both_read;
      return;
    case PairOutcome::kBothAtomic:
      ++counters_.both_atomic;
      return;
    case PairOutcome::kOtherBytes:
      ++counters_.other_bytes;
      return;
    case PairOutcome::kUnknown:
      ++counters_.unknown;
      return;
  }
  Entry entry;
  entry.certain = judgement.certain;
  entry.finding.verdict = judgement.verdict;
  entry.finding.evidence = RaceEvidence::kOverlap;
  entry.finding.variable = order.subject.variable;
  entry.finding.sites = {site(order, held), site(order, other)};
  entry.finding.locks = uneven_locks(order.subject, held, other);
  entry.finding.because = fmt::format(
      "thread {} was held for {} right behind its access; thread {} touched the same bytes meanwhile, so "
      "nothing orders the two",
      held.tid, duration_text(held.held_ns), other.tid);
  entry.finding.caveat = judgement.caveat;
  order.proven = order.proven || judgement.verdict == Verdict::kProven;
  put(std::move(entry), realtime_ns);
}

void RaceJudge::judge_value_change(Order& order, const AccessEvent& held, std::int64_t realtime_ns) {
  const auto access = watched_access(held, bytes(order));
  const VariableKind kind = bytes(order, held, held).kind;
  if (++order.value_changes[held.ip] < options_.value_changes || !access || is_atomic(access->access, facts(held)) ||
      atomic_addresses_.contains(order.subject.address) ||
      (kind != VariableKind::kPlain && kind != VariableKind::kVolatile)) {
    return;
  }
  Entry entry;
  entry.finding.verdict = Verdict::kLikely;
  entry.finding.evidence = RaceEvidence::kValueChange;
  entry.finding.variable = order.subject.variable;
  entry.finding.sites = {site(order, held)};
  entry.finding.because = fmt::format(
      "the value went from {:#x} to {:#x} while thread {} was held behind its access; who wrote it was not seen",
      held.value_before, held.value_after, held.tid);
  entry.finding.caveat = "the writer may be the kernel or another process that shares the memory";
  put(std::move(entry), realtime_ns);
}

void RaceJudge::judge_locks(std::uint64_t generation, const std::vector<SiteCounts>& sites, std::int64_t realtime_ns) {
  const auto found = orders_.find(generation);
  if (found == orders_.end() || sum_of(sites) < options_.lock_accesses) {
    return;
  }
  Order& order = found->second;
  for (std::size_t lock = 0; lock < order.subject.locks.size() && lock < RG_CANDIDATE_LOCKS; ++lock) {
    judge_lock(order, sites, lock, realtime_ns);
  }
}

void RaceJudge::judge_lock(Order& order, const std::vector<SiteCounts>& sites, std::size_t lock,
                           std::int64_t realtime_ns) {
  const double share = static_cast<double>(held_of(sites, lock)) / static_cast<double>(sum_of(sites));
  if (share < options_.lock_share || order.subject.variable.kind != VariableKind::kPlain) {
    return;
  }
  const auto with_lock = std::max_element(
      sites.begin(), sites.end(), [lock](const auto& a, const auto& b) { return a.held.at(lock) < b.held.at(lock); });
  const auto first = order.seen.find(with_lock->ip);
  for (const SiteCounts& without : sites) {
    const auto second = order.seen.find(without.ip);
    if (without.broken.at(lock) < options_.lock_broken || first == order.seen.end() || second == order.seen.end()) {
      continue;
    }
    const PairJudgement judgement =
        judge_pair({&first->second, facts(first->second)}, {&second->second, facts(second->second)},
                   bytes(order, first->second, second->second));
    if (judgement.outcome != PairOutcome::kRace || judgement.verdict != Verdict::kProven) {
      continue;  // of two reads, or of atomics: harmless
    }
    const CandidateLock& missed = order.subject.locks[lock];
    Entry entry;
    entry.finding.verdict = Verdict::kLikely;
    entry.finding.evidence = RaceEvidence::kBrokenLock;
    entry.finding.variable = order.subject.variable;
    entry.finding.sites = {site(order, first->second), site(order, second->second)};
    entry.finding.locks = {{.name = missed.name,
                            .address = missed.address,
                            .held_by_first = true,
                            .held_by_second = false,
                            .held_share = share}};
    entry.finding.because =
        fmt::format("{:.1f} % of {} hold {}; {} without it came while another thread held it around its own access",
                    share * 100, count_text(sum_of(sites), "access") + "es", missed.name, without.broken.at(lock));
    put(std::move(entry), realtime_ns);
  }
}

void RaceJudge::put(Entry entry, std::int64_t realtime_ns) {
  RaceFinding& finding = entry.finding;
  std::uint64_t one = finding.sites.front().code.address;
  std::uint64_t two = finding.sites.size() > 1 ? finding.sites[1].code.address : 0;
  if (one > two) {
    std::swap(one, two);
  }
  const Key key{one, two, finding.variable.global ? finding.variable.name : std::string{}, finding.evidence};
  finding.first_seen_ns = finding.last_seen_ns = realtime_ns;
  finding.count = 1;
  finding.seen_ns = {realtime_ns};
  const auto known = findings_.find(key);
  if (known == findings_.end()) {
    if (findings_.size() >= options_.max_findings) {
      ++counters_.findings_lost;
      return;
    }
    findings_.emplace(key, std::move(entry));
    return;
  }
  RaceFinding& old = known->second.finding;
  old.last_seen_ns = realtime_ns;
  ++old.count;
  if (!old.variable.object_of.empty()) {
    old.variable.address = finding.variable.address;
  }
  if (old.seen_ns.size() < kTimesKept) {
    old.seen_ns.push_back(realtime_ns);
  }
  if (rank(finding.verdict) < rank(old.verdict)) {
    old.verdict = finding.verdict;
    old.caveat = finding.caveat;
  }
  known->second.certain = known->second.certain || entry.certain;
  if (old.locks.empty()) {
    old.locks = std::move(finding.locks);
  }
}

std::vector<RaceFinding> RaceJudge::findings() const {
  std::vector<RaceFinding> list;
  for (const auto& [key, entry] : findings_) {
    list.push_back(entry.finding);
    RaceFinding& finding = list.back();
    const bool atomic = atomic_addresses_.contains(finding.variable.address);
    if (atomic && !entry.certain && finding.verdict != Verdict::kInfo) {
      finding.verdict = Verdict::kInfo;
      finding.caveat = "other accesses to it are atomic: a race unless these are atomic too";
    }
  }
  std::stable_sort(list.begin(), list.end(), [](const RaceFinding& a, const RaceFinding& b) {
    return rank(a.verdict) != rank(b.verdict) ? rank(a.verdict) < rank(b.verdict) : a.count > b.count;
  });
  return list;
}

bool RaceJudge::proven(std::uint64_t generation) const {
  const auto found = orders_.find(generation);
  return found != orders_.end() && found->second.proven;
}

bool RaceJudge::harmless(std::uint64_t generation) const {
  const auto found = orders_.find(generation);
  return found != orders_.end() && !found->second.undecoded && !found->second.plain_write &&
         atomic_addresses_.contains(found->second.subject.address);
}

bool RaceJudge::written(std::uint64_t generation) const {
  const auto found = orders_.find(generation);
  return found != orders_.end() && (found->second.plain_write || found->second.undecoded);
}

}  // namespace raceguard::detect
