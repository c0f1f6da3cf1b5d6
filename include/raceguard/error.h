// SPDX-License-Identifier: Apache-2.0
// Errors as values. A Result<T> holds a T or an Error; nothing in raceguard throws across a function of its own.
//
// An Error reads as one line for the person on call:
//   RG-A104 cannot attach uprobe to pthread_mutex_lock in /usr/lib/.../libc.so.6 (pid 812): EPERM (Operation not
//   permitted). Give the service CAP_PERFMON and CAP_BPF.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

#include "raceguard/error_codes.h"

namespace raceguard {

class Error {
 public:
  // `what` says what was tried, on what, and why it failed; `remedy` says what the reader can do (may be empty).
  Error(ErrorCode code, std::string what, std::string remedy = {})
      : code_(code), what_(std::move(what)), remedy_(std::move(remedy)) {}

  // The same for a failed system call: appends ": ENOENT (No such file or directory)".
  static Error from_errno(ErrorCode code, std::string what, int errno_value, std::string remedy = {});

  // Puts what a caller was doing in front: "reading policy a.yaml: <what>". Returns itself, for chaining.
  Error&& within(std::string_view context) &&;

  [[nodiscard]] ErrorCode code() const { return code_; }
  [[nodiscard]] const std::string& what() const { return what_; }
  [[nodiscard]] const std::string& remedy() const { return remedy_; }
  [[nodiscard]] int errno_value() const { return errno_value_; }  // 0 unless made by from_errno
  [[nodiscard]] std::string to_string() const;                    // "RG-A104 what. remedy"

 private:
  ErrorCode code_;
  std::string what_;
  std::string remedy_;
  int errno_value_ = 0;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string what, std::string remedy = {}) {
  return tl::unexpected<Error>(Error(code, std::move(what), std::move(remedy)));
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> fail_errno(ErrorCode code, std::string what, int errno_value, std::string remedy = {}) {
  return tl::unexpected<Error>(Error::from_errno(code, std::move(what), errno_value, std::move(remedy)));
}

}  // namespace raceguard
