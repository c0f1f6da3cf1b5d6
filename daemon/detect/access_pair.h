// SPDX-License-Identifier: Apache-2.0
// Whether two accesses that nothing ordered are a data race: by the bytes they touch, by read and write, and by
// atomicity (C++ [intro.races]: a conflict, at least one of the two not atomic). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/detect/finding.h"
#include "daemon/events/access_event.h"
#include "daemon/symbols/variable.h"

namespace raceguard::detect {

// What the code around an access tells of it.
struct AccessFacts {
  bool atomic_function = false;  // it is in (an inlined copy of) std::atomic<>::load, core::sync::atomic, ...
  bool part_of_update = false;   // load, arithmetic and store of one place, without a lock prefix
};

// What is known of the watched bytes.
struct WatchedBytes {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  symbols::VariableKind kind = symbols::VariableKind::kUnknown;
  bool atomic_access_seen =
      false;                     // some instruction touched them with a lock prefix or xchg, or in an atomic function
  bool plain_read_seen = false;  // some instruction read them and did no more: as who waits for a value does
};

// The access of an instruction that a hit on the watched bytes is about.
struct WatchedAccess {
  symbols::MemoryAccess access;
  std::optional<std::uint64_t> address;  // nothing: the registers that made it are overwritten
};

// Nothing: the instruction is unknown, or several of its accesses could be meant.
[[nodiscard]] std::optional<WatchedAccess> watched_access(const events::AccessEvent& event, const WatchedBytes& bytes);

enum class PairOutcome {
  kRace,
  kBothRead,
  kBothAtomic,
  kOtherBytes,  // neighbours in one watched word
  kUnknown,     // an instruction or its bytes could not be told: nothing is said
};

struct PairJudgement {
  PairOutcome outcome = PairOutcome::kUnknown;
  Verdict verdict = Verdict::kInfo;  // kProven, or kInfo where only the missing type stands in the way
  bool certain = false;              // a race even if the variable turns out to be an atomic
  std::string caveat;
};

struct PairSide {
  const events::AccessEvent* event = nullptr;
  AccessFacts facts;
};

// `first` was held right behind its access, `second` came meanwhile.
[[nodiscard]] PairJudgement judge_pair(const PairSide& first, const PairSide& second, const WatchedBytes& bytes);

[[nodiscard]] bool is_atomic(const symbols::MemoryAccess& access, const AccessFacts& facts);

}  // namespace raceguard::detect
