// SPDX-License-Identifier: Apache-2.0
// What libbpf and the verifier say while an object is in scope, so that an error can carry it.
#pragma once

#include <string>

namespace raceguard::kernel {

// Collects the messages of this thread from construction to destruction; nothing goes to stderr meanwhile.
// Not nested. The collector is thread-local because libbpf's callback takes no context.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // The last lines, joined by " | "; at most max_lines.
  [[nodiscard]] std::string tail(std::size_t max_lines) const;

 private:
  std::string text_;
};

}  // namespace raceguard::kernel
