// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/access_pair.h"

#include <algorithm>

namespace raceguard::detect {
namespace {

using symbols::AccessMode;
using symbols::MemoryAccess;
using symbols::VariableKind;

constexpr std::uint64_t kLargestAtomicBytes = 8;  // cmpxchg16b has a lock prefix and is atomic by that

bool overlap(std::uint64_t a, std::uint64_t a_size, std::uint64_t b, std::uint64_t b_size) {
  return a < b + b_size && b < a + a_size;
}

// Of a repeated instruction one element was at the watched bytes, wherever the registers stand now.
std::optional<std::uint64_t> known_address(const MemoryAccess& access, const events::AccessEvent& event) {
  if (access.string_instruction) {
    return std::nullopt;
  }
  const std::uint64_t load_bias = event.ip - (event.instruction->address + event.instruction->length);
  return symbols::effective_address(access.where, event.registers, load_bias);
}

enum class Touch { kSame, kOther, kUnknown };

// An access whose address is lost still covers the whole watch if it is as wide: a watchpoint is as long as it is
// aligned, and so is compiled code's access.
bool covers(const WatchedAccess& access, const WatchedBytes& bytes) {
  return !access.address && (access.access.width_bytes >= bytes.length || access.access.string_instruction);
}

Touch same_bytes(const WatchedAccess& a, const WatchedAccess& b, const WatchedBytes& bytes) {
  if (covers(a, bytes) || covers(b, bytes)) {
    return Touch::kSame;
  }
  if (!a.address || !b.address) {
    return Touch::kUnknown;
  }
  return overlap(*a.address, a.access.width_bytes, *b.address, b.access.width_bytes) ? Touch::kSame : Touch::kOther;
}

bool writes(const MemoryAccess& access) { return access.mode != AccessMode::kRead; }

// What no compiler makes of an atomic operation: it is wider, in pieces, or not aligned.
bool never_atomic(const WatchedAccess& access) {
  return access.access.string_instruction || access.access.width_bytes > kLargestAtomicBytes ||
         (access.address && access.access.width_bytes != 0 && *access.address % access.access.width_bytes != 0);
}

PairJudgement race(Verdict verdict, std::string caveat = {}) {
  return {.outcome = PairOutcome::kRace, .verdict = verdict, .certain = false, .caveat = std::move(caveat)};
}

PairJudgement no_race(PairOutcome outcome) {
  return {.outcome = outcome, .verdict = Verdict::kInfo, .certain = false, .caveat = {}};
}

bool updates(const PairSide& side, const WatchedAccess& access) {
  return side.facts.part_of_update || access.access.mode == AccessMode::kUpdate;
}

// An update of the one that another's falls into: `first` has read and not stored yet, or, in one instruction, has done
// both while nobody only reads. Not where it has stored already: that may be how it lets a lock go (a ticket lock's
// `serving = serving + 1`, by an atomic's plain moves), and the other one is the next holder on its way out.
bool loses_update(const PairSide& first, const WatchedAccess& a, const PairSide& second, const WatchedAccess& b,
                  const WatchedBytes& bytes) {
  if (!updates(first, a) || !updates(second, b)) {
    return false;
  }
  return a.access.mode == AccessMode::kRead ? writes(b.access)
                                            : a.access.mode == AccessMode::kUpdate && !bytes.plain_read_seen;
}

// What can be told whether or not the variable is an atomic.
std::string why_certain(const PairSide& first, const WatchedAccess& a, const PairSide& second, const WatchedAccess& b,
                        const WatchedBytes& bytes) {
  if (never_atomic(a) || never_atomic(b)) {
    return "the instructions are not those of an atomic";
  }
  if (loses_update(first, a, second, b, bytes)) {
    return "both sides read, change and write it, and not both with a lock prefix";
  }
  return {};
}

PairJudgement judge_race(const WatchedBytes& bytes, const std::string& certain) {
  if (bytes.atomic_access_seen) {
    return certain.empty() ? race(Verdict::kInfo,
                                  "other accesses to it are atomic: a race unless these are atomic too (a plain load "
                                  "or store of an atomic looks the same)")
                           : race(Verdict::kProven, "other accesses to it are atomic; " + certain);
  }
  switch (bytes.kind) {
    case VariableKind::kPlain:
      return race(Verdict::kProven);
    case VariableKind::kVolatile:
      return race(Verdict::kProven, "the variable is volatile, which orders nothing between threads");
    default:
      return certain.empty() ? race(Verdict::kInfo,
                                    "the variable's type is unknown: a race unless it is an atomic, whose loads and "
                                    "stores look the same")
                             : race(Verdict::kProven, "the variable's type is unknown; " + certain);
  }
}

}  // namespace

bool is_atomic(const MemoryAccess& access, const AccessFacts& facts) { return access.atomic || facts.atomic_function; }

std::optional<WatchedAccess> watched_access(const events::AccessEvent& event, const WatchedBytes& bytes) {
  if (!event.instruction) {
    return std::nullopt;
  }
  std::optional<WatchedAccess> found;
  for (const MemoryAccess& access : event.instruction->accesses) {
    WatchedAccess candidate{.access = access, .address = known_address(access, event)};
    if (access.where.thread_local_segment ||
        (candidate.address && !overlap(*candidate.address, access.width_bytes, bytes.address, bytes.length))) {
      continue;
    }
    if (found) {
      return std::nullopt;
    }
    found = candidate;
  }
  return found;
}

PairJudgement judge_pair(const PairSide& first, const PairSide& second, const WatchedBytes& bytes) {
  const auto a = watched_access(*first.event, bytes);
  const auto b = watched_access(*second.event, bytes);
  if (!a || !b) {
    return {};
  }
  if (!writes(a->access) && !writes(b->access)) {
    return no_race(PairOutcome::kBothRead);
  }
  const Touch touch = same_bytes(*a, *b, bytes);
  if (touch != Touch::kSame) {
    return no_race(touch == Touch::kOther ? PairOutcome::kOtherBytes : PairOutcome::kUnknown);
  }
  const bool both_atomic = is_atomic(a->access, first.facts) && is_atomic(b->access, second.facts);
  if (both_atomic || bytes.kind == VariableKind::kAtomic || bytes.kind == VariableKind::kLock) {
    return no_race(PairOutcome::kBothAtomic);
  }
  const std::string certain = why_certain(first, *a, second, *b, bytes);
  PairJudgement judgement = judge_race(bytes, certain);
  judgement.certain = !certain.empty();
  return judgement;
}

}  // namespace raceguard::detect
