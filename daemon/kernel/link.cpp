// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/link.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace raceguard::kernel {

void detach(std::vector<Link> links) {
  constexpr std::size_t kThreads = 8;
  std::atomic<std::size_t> next{0};
  const auto work = [&links, &next] {
    for (std::size_t i = next++; i < links.size(); i = next++) {
      links[i].reset();
    }
  };
  std::vector<std::jthread>
      helpers;  // named by what they do for a few milliseconds; joined at the end of this function
  for (std::size_t i = 1; i < std::min(kThreads, links.size()); ++i) {
    helpers.emplace_back(work);
  }
  work();
}

}  // namespace raceguard::kernel
