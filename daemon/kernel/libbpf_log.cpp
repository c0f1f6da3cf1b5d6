// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/libbpf_log.h"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>
#include <deque>
#include <sstream>

namespace raceguard::kernel {
namespace {

constexpr std::size_t kKeepBytes = 64 * 1024;  // a verifier log's end is what tells

thread_local std::string* collector = nullptr;

__attribute__((format(printf, 2, 0))) int collect(libbpf_print_level level, const char* format, va_list arguments) {
  if (collector == nullptr || level == LIBBPF_DEBUG) {
    return 0;
  }
  va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  if (length <= 0) {
    return 0;
  }
  std::string message(static_cast<std::size_t>(length) + 1, '\0');
  std::vsnprintf(message.data(), message.size(), format, arguments);
  message.pop_back();
  *collector += message;
  if (collector->size() > 2 * kKeepBytes) {
    collector->erase(0, collector->size() - kKeepBytes);
  }
  return length;
}

}  // namespace

LibbpfLog::LibbpfLog() {
  collector = &text_;
  libbpf_set_print(collect);
}

LibbpfLog::~LibbpfLog() { collector = nullptr; }

std::string LibbpfLog::tail(std::size_t max_lines) const {
  std::deque<std::string> lines;
  std::istringstream input(text_);
  for (std::string line; std::getline(input, line);) {
    if (line.empty()) {
      continue;
    }
    lines.push_back(line);
    if (lines.size() > max_lines) {
      lines.pop_front();
    }
  }
  std::string joined;
  for (const std::string& line : lines) {
    joined += joined.empty() ? line : " | " + line;
  }
  return joined;
}

}  // namespace raceguard::kernel
