// SPDX-License-Identifier: Apache-2.0
// The reading end of a BPF ring buffer.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "raceguard/error.h"

struct bpf_map;
struct ring_buffer;

namespace raceguard::kernel {

class Ring {
 public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  // The map must outlive the ring.
  static Result<Ring> open(const bpf_map* map);

  // Calls `sink` with every record that waits, in order. Never blocks.
  [[nodiscard]] Result<std::size_t> drain(const Sink& sink);
  [[nodiscard]] int epoll_fd() const;

 private:
  struct Deleter {
    void operator()(ring_buffer* ring) const;
  };
  // Where libbpf's callback finds the sink of the drain that is under way; its address must not change.
  struct Current {
    const Sink* sink = nullptr;
  };
  static int pass_on(void* context, void* data, std::size_t size);

  const char* name_ = "";
  std::unique_ptr<Current> current_;
  std::unique_ptr<ring_buffer, Deleter> ring_;
};

}  // namespace raceguard::kernel
