// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/frame_info_cache.h"

namespace raceguard::events {

const CallFrameInfo* FrameInfoCache::find(const targets::MappedBinary& binary) {
  const Key key{binary.device, binary.inode};
  if (const auto found = index_.find(key); found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->info.get();
  }
  Entry entry{.key = key, .info = nullptr, .bytes = 0};
  if (auto opened = CallFrameInfo::open(binary)) {
    entry.info = std::make_unique<CallFrameInfo>(std::move(*opened));
    entry.bytes = entry.info->bytes_in_memory();
  }
  bytes_ += entry.bytes;
  entries_.push_front(std::move(entry));
  index_[key] = entries_.begin();
  while (entries_.size() > 1 && (entries_.size() > limits_.files || bytes_ > limits_.bytes)) {
    bytes_ -= entries_.back().bytes;
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
  return entries_.front().info.get();
}

}  // namespace raceguard::events
