// SPDX-License-Identifier: Apache-2.0
// What the watcher's tests share: a racer under watch, and what was reported of it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "daemon/kernel/watcher.h"
#include "raceguard/clock.h"
#include "tests/bpf/attached.h"
#include "tests/bpf/target_process.h"

namespace raceguard::test {

// The machine has four address registers for all: waits while another session's tests have them.
inline kernel::Watcher open_watcher(const kernel::WatcherOptions& options = {}) {
  std::optional<Result<kernel::Watcher>> watcher;
  for (int tries = 0; tries < 3; ++tries) {
    static_cast<void>(eventually([&] {
      watcher.emplace(kernel::Watcher::open(options));
      return watcher->has_value() || watcher->error().code() != ErrorCode::kKernelAttach;
    }));
    if (watcher->has_value()) {
      return std::move(**watcher);
    }
  }
  throw std::runtime_error(watcher->error().to_string());
}

inline void require(const Result<void>& done) {
  if (!done) {
    throw std::runtime_error(done.error().to_string());
  }
}

class Watched : public testing::Test {
 protected:
  // Long holds: in an emulated machine (tests/vm) the CPUs take turns of 100 ms, and two threads meet only where a turn
  // ends inside a hold.
  explicit Watched(const kernel::WatcherOptions& options = {.hold_ns = kernel::kLongestHoldNs})
      : watcher_(open_watcher(options)) {}

  std::uint64_t address(const std::string& name) { return static_cast<std::uint64_t>(racer_.run("address " + name)); }
  rg_candidate_lock lock(const std::string& name, rg_lock_kind kind) {
    return {.address = address(name), .kind = static_cast<rg_u32>(kind), .pad = 0};
  }
  kernel::WatchOrder order(const std::string& variable, std::vector<rg_candidate_lock> locks = {}) {
    return {.generation = ++generation_,
            .tgid = racer_.pid(),
            .address = address(variable),
            .length = 8,
            .locks = std::move(locks)};
  }
  void arm(unsigned slot, const kernel::WatchOrder& order) { require(watcher_.arm(slot, order)); }

  void drain() {
    const auto drained = watcher_.drain([this](std::span<const std::byte> bytes) {
      rg_record_access record{};
      std::memcpy(&record, bytes.data(), std::min(bytes.size(), sizeof record));
      ASSERT_EQ(bytes.size(), RG_ACCESS_HEADER_BYTES + record.stack_bytes);
      records_.push_back(record);
    });
    ASSERT_TRUE(drained) << drained.error().to_string();
  }
  // Lets the slot take so many hits a CPU again and again until the condition holds.
  bool watch_until(unsigned slot, unsigned hits, const std::function<bool()>& condition) {
    return eventually([&] {
      require(watcher_.allow(slot, hits));
      drain();
      return condition();
    });
  }
  std::vector<rg_record_access> records(rg_access_role role) const {
    std::vector<rg_record_access> found;
    for (const rg_record_access& record : records_) {
      if (record.role == static_cast<rg_u32>(role)) {
        found.push_back(record);
      }
    }
    return found;
  }
  std::vector<kernel::AccessSiteReading> sites() { return watcher_.read_sites(generation_).value(); }
  rg_watch_figures figures(unsigned slot = 0) { return watcher_.read_figures(slot).value(); }
  std::uint64_t dropped(rg_drop_reason reason) { return watcher_.read_drops().value().at(reason); }

  TargetProcess racer_{RG_BPF_RACER};
  kernel::Watcher watcher_;
  std::vector<rg_record_access> records_;
  std::uint64_t generation_ = 0;
};

inline rg_lock_state state_of(const rg_record_access& record, unsigned lock) {
  return static_cast<rg_lock_state>(record.lock_states >> 2 * lock & 3U);
}

}  // namespace raceguard::test
