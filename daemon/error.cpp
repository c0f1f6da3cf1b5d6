// SPDX-License-Identifier: Apache-2.0
#include "raceguard/error.h"

#include <cstring>

#include <fmt/format.h>

namespace raceguard {

Error Error::from_errno(ErrorCode code, std::string what, int errno_value, std::string remedy) {
  const char* name = strerrorname_np(errno_value);
  Error error(code, fmt::format("{}: {} ({})", what, name != nullptr ? name : "errno", strerrordesc_np(errno_value)),
              std::move(remedy));
  error.errno_value_ = errno_value;
  return error;
}

Error&& Error::within(std::string_view context) && {
  what_ = fmt::format("{}: {}", context, what_);
  return std::move(*this);
}

std::string Error::to_string() const {
  std::string text = fmt::format("{} {}", describe(code_).id, what_);
  if (!remedy_.empty()) {
    text += fmt::format(". {}", remedy_);
  }
  return text;
}

}  // namespace raceguard
