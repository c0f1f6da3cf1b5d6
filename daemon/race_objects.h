// SPDX-License-Identifier: Apache-2.0
// Members of objects that guarded functions are called with. Nobody tells when an object is freed (a probe on free()
// costs too much), so an object is believed in for a second after each call that had it, and what was found on it
// counts once it was seen again. Pure, on the caller's clock.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/detect/race_finding.h"
#include "daemon/plan/watch_rotation.h"
#include "raceguard/error.h"

namespace raceguard::app {

// Whose objects: those that this argument of the function points to.
struct ObjectOrder {
  std::string function;  // its symbol
  std::string shown;     // demangled, as stacks name it
  std::uint32_t argument = 0;
  std::vector<std::string> members;
  friend bool operator==(const ObjectOrder&, const ObjectOrder&) = default;
};

struct SeenObject {
  pid_t pid = 0;
  std::shared_ptr<const ObjectOrder> order;
  std::uint64_t address = 0;
  std::int64_t seen_ns = 0;  // monotonic, of the last call
  bool shared = false;       // by calls of two threads
};

// A member of every object of an order; its `address` is the offset.
using ObjectMembers = std::vector<detect::RaceVariable>;

class RaceObjects {
 public:
  // Finds out the members by debug information, once an order. kSymbolNotFound.
  using Lookup = std::function<Result<ObjectMembers>(const ObjectOrder&)>;
  explicit RaceObjects(Lookup lookup) : lookup_(std::move(lookup)) {}

  // What is to be watched of it; empty: it is watched, cannot be, or has to wait for room.
  [[nodiscard]] std::vector<plan::WatchCandidate> see(const SeenObject& object, std::int64_t realtime_offset_ns);
  // Of objects that were not seen for a second: what is not to be watched any more.
  [[nodiscard]] std::vector<std::uint64_t> expire(std::int64_t now_ns);

  // The member that is watched at the address.
  [[nodiscard]] std::optional<detect::RaceVariable> member_at(std::uint64_t address) const;
  // What was found on a member whose object was never seen afterwards is `info`: its memory may be another's by then.
  void doubt(std::vector<detect::RaceFinding>& findings) const;
  [[nodiscard]] std::vector<std::string> notes() const;

 private:
  struct Layout {
    ObjectMembers members;
    std::string failure;
  };
  struct Object {
    std::shared_ptr<const ObjectOrder> order;
    std::int64_t seen_ns = 0;
    std::vector<std::uint64_t> watched;  // addresses
  };
  const Layout& layout_of(const std::shared_ptr<const ObjectOrder>& order);
  void remember(std::uint64_t address, std::int64_t seen_realtime_ns);

  Lookup lookup_;
  std::map<std::shared_ptr<const ObjectOrder>, Layout> layouts_;
  std::map<std::uint64_t, Object> objects_;                 // by address, those that are believed in
  std::map<std::uint64_t, detect::RaceVariable> watched_;   // by address
  std::map<std::uint64_t, std::int64_t> seen_realtime_ns_;  // of members, also of objects that are gone; bounded
  mutable std::set<std::uint64_t> believed_;                // race_hash() of findings: what was seen once stays
};

}  // namespace raceguard::app
