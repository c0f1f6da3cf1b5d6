// SPDX-License-Identifier: Apache-2.0
// Typed reads and writes of BPF maps by descriptor.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdint>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

[[nodiscard]] inline Error map_error(const char* action, const char* map, int error) {
  return kernel_error(Request::kMap, fmt::format("cannot {} BPF map {}", action, map), error);
}

template <typename Key, typename Value>
struct MapEntry {
  Key key{};
  Value value{};
};

// Every entry of a hash map, by batches. Entries that come or go meanwhile may be in it or not.
template <typename Key, typename Value>
Result<std::vector<MapEntry<Key, Value>>> read_hash(int fd, const char* name) {
  std::vector<MapEntry<Key, Value>> entries;
  std::uint32_t batch = 512;  // grows when one bucket holds more (ENOSPC)
  std::vector<Key> keys(batch);
  std::vector<Value> values(batch);
  std::uint64_t position = 0;  // opaque to us; hash maps use 4 bytes
  bool started = false;
  for (;;) {
    std::uint32_t count = batch;
    const int status =
        bpf_map_lookup_batch(fd, started ? &position : nullptr, &position, keys.data(), values.data(), &count, nullptr);
    if (status == -ENOSPC) {
      batch *= 2;
      keys.resize(batch);
      values.resize(batch);
      continue;
    }
    if (status != 0 && status != -ENOENT) {
      return fail(map_error("read", name, -status));
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      entries.push_back({keys[i], values[i]});
    }
    if (status == -ENOENT) {  // the end
      return entries;
    }
    started = true;
  }
}

// One entry of a per-CPU array, of each possible CPU. `Value` is a multiple of 8 bytes long, as the kernel pads it.
template <typename Value>
Result<std::vector<Value>> read_per_cpu(int fd, const char* name, std::uint32_t key) {
  static_assert(sizeof(Value) % 8 == 0);
  std::vector<Value> of_cpus(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (const int status = bpf_map_lookup_elem(fd, &key, of_cpus.data()); status != 0) {
    return fail(map_error("read", name, -status));
  }
  return of_cpus;
}

// A per-CPU array of counters, summed over CPUs.
[[nodiscard]] inline Result<std::vector<std::uint64_t>> read_counters(int fd, const char* name, std::uint32_t count) {
  std::vector<std::uint64_t> sums(count);
  for (std::uint32_t key = 0; key < count; ++key) {
    const auto of_cpus = read_per_cpu<std::uint64_t>(fd, name, key);
    if (!of_cpus) {
      return fail(of_cpus.error());
    }
    sums[key] = std::accumulate(of_cpus->begin(), of_cpus->end(), std::uint64_t{0});
  }
  return sums;
}

}  // namespace raceguard::kernel
