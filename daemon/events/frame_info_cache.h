// SPDX-License-Identifier: Apache-2.0
// Call frame information by file, the least recently used given up first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include "daemon/events/call_frame_info.h"
#include "daemon/targets/target.h"

namespace raceguard::events {

struct FrameInfoCacheLimits {
  std::size_t files = 64;
  std::size_t bytes = 12U << 20U;  // mariadbd and its libraries together have 2.5 MB
};

class FrameInfoCache {
 public:
  explicit FrameInfoCache(FrameInfoCacheLimits limits = {}) : limits_(limits) {}

  // nullptr: the file has none, or cannot be read; that is remembered too. Valid until the next call.
  const CallFrameInfo* find(const targets::MappedBinary& binary);

  [[nodiscard]] std::size_t files() const { return entries_.size(); }
  [[nodiscard]] std::size_t bytes_in_memory() const { return bytes_; }

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  struct Entry {
    Key key;
    std::unique_ptr<CallFrameInfo> info;
    std::size_t bytes = 0;
  };
  FrameInfoCacheLimits limits_;
  std::list<Entry> entries_;  // most recently used first
  std::map<Key, std::list<Entry>::iterator> index_;
  std::size_t bytes_ = 0;
};

}  // namespace raceguard::events
