// SPDX-License-Identifier: Apache-2.0
// A data race as it is reported: the variable, both accesses, the lock that one side lacked, and what the verdict rests
// on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/detect/finding.h"
#include "daemon/events/access_event.h"
#include "daemon/symbols/variable.h"

namespace raceguard::detect {

// What was watched, in words. A word of the heap has no name of its own.
struct RaceVariable {
  std::string name;  // "config.counters[3].hits", "heap word 0x55d0c8"
  std::string type;  // empty: unknown
  std::optional<symbols::SourceLine> declared;
  std::uint64_t address = 0;  // in the process
  std::uint64_t size = 0;     // bytes
  symbols::VariableKind kind = symbols::VariableKind::kUnknown;
  std::string binary;    // that defines it; empty: heap
  std::string build_id;  // of that binary, or of the first site's
  bool global = false;   // the name stands for one address; else findings are told apart by their sites alone
  // A member of an object that this function was called with, as stacks name it; `address`: of the last one. Its type
  // is sure where the function itself touches it; elsewhere the memory may be another object's by now. Empty: no such.
  std::string object_of;
};

struct RaceSite {
  symbols::CodeSite code;
  std::string instruction;
  symbols::AccessMode mode = symbols::AccessMode::kRead;
  bool atomic = false;
  std::uint8_t width_bytes = 0;
  pid_t tid = 0;
  std::string thread_name;
  events::Stack stack;
};

struct RaceLock {
  std::string name;  // "table_lock", "mutex 0x55d0..."
  std::uint64_t address = 0;
  bool held_by_first = false;
  bool held_by_second = false;
  double held_share = 0;  // of all accesses that were seen, 0..1
};

// Why a race is believed, in one word for programs; `because` says it to people.
enum class RaceEvidence {
  kOverlap,      // the other thread's access came while this one was held right behind its own
  kBrokenLock,   // a lock that nearly all accesses hold was held by another thread, for its own access, at this one
  kValueChange,  // the value changed while an access was held, and nobody was seen
};

inline constexpr std::size_t kTimesKept = 64;

struct RaceFinding {
  Verdict verdict = Verdict::kInfo;
  RaceEvidence evidence = RaceEvidence::kOverlap;
  RaceVariable variable;
  std::vector<RaceSite> sites;  // two; one where the other is unknown (value change)
  std::vector<RaceLock> locks;  // candidates that one side held and the other did not
  std::string because;          // one sentence: what was seen
  std::string caveat;           // what the verdict hangs on, or why it is `info` only; empty: nothing
  std::uint64_t count = 0;
  std::int64_t first_seen_ns = 0;  // CLOCK_REALTIME
  std::int64_t last_seen_ns = 0;
  std::vector<std::int64_t> seen_ns;  // CLOCK_REALTIME; the first kTimesKept
  std::int64_t watched_ns = 0;        // its variable was under watch for so long, the visit that found it included
  bool suppressed = false;
  std::string suppressed_by;  // the line of the suppression file
};

}  // namespace raceguard::detect
