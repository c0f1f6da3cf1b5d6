// SPDX-License-Identifier: Apache-2.0
// The owner of one BPF link: the probe is there as long as this lives.
#pragma once

#include <bpf/libbpf.h>

#include <memory>

namespace raceguard::kernel {

struct LinkDeleter {
  void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using Link = std::unique_ptr<bpf_link, LinkDeleter>;

}  // namespace raceguard::kernel
