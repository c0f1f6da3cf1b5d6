// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/ring.h"

#include <bpf/libbpf.h>

#include <cerrno>

#include "daemon/kernel/map_access.h"

namespace raceguard::kernel {

void Ring::Deleter::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

int Ring::pass_on(void* context, void* data, std::size_t size) {
  (*static_cast<const Current*>(context)->sink)({static_cast<const std::byte*>(data), size});
  return 0;
}

Result<Ring> Ring::open(const bpf_map* map) {
  Ring ring;
  ring.name_ = bpf_map__name(map);
  ring.current_ = std::make_unique<Current>();
  ring.ring_.reset(ring_buffer__new(bpf_map__fd(map), pass_on, ring.current_.get(), nullptr));
  if (!ring.ring_) {
    return fail(map_error("map", ring.name_, errno));
  }
  return ring;
}

Result<std::size_t> Ring::drain(const Sink& sink) {
  current_->sink = &sink;
  const int records = ring_buffer__consume(ring_.get());
  current_->sink = nullptr;
  if (records < 0) {
    return fail(map_error("read", name_, -records));
  }
  return static_cast<std::size_t>(records);
}

int Ring::epoll_fd() const { return ring_buffer__epoll_fd(ring_.get()); }

}  // namespace raceguard::kernel
