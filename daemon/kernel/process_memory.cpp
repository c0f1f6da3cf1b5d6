// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/process_memory.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>

namespace raceguard::kernel {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::size_t kPagesAtOnce = 64;

}  // namespace

// A range of its own for each page: the call stops at the first range that it cannot read as a whole.
std::size_t read_memory(pid_t pid, std::uint64_t address, std::span<std::byte> to) {
  std::size_t done = 0;
  while (done < to.size()) {
    std::array<iovec, kPagesAtOnce> from{};
    std::size_t ranges = 0;
    std::size_t wanted = 0;
    while (ranges < from.size() && done + wanted < to.size()) {
      const std::uint64_t start = address + done + wanted;
      const std::size_t length = std::min<std::size_t>(kPageBytes - start % kPageBytes, to.size() - done - wanted);
      from.at(ranges++) = {.iov_base = reinterpret_cast<void*>(start), .iov_len = length};
      wanted += length;
    }
    const iovec into{.iov_base = to.data() + done, .iov_len = wanted};
    const ssize_t got = ::process_vm_readv(pid, &into, 1, from.data(), ranges, 0);
    done += got > 0 ? static_cast<std::size_t>(got) : 0;
    if (got != static_cast<ssize_t>(wanted)) {
      return done;
    }
  }
  return done;
}

}  // namespace raceguard::kernel
