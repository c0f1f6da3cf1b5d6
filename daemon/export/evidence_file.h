// SPDX-License-Identifier: Apache-2.0
// The evidence file as bytes: append-only, and never left with half a line by us.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::exporting {

class EvidenceFile {
 public:
  // Opens or makes the file: O_APPEND, mode 0640.
  [[nodiscard]] static Result<EvidenceFile> open(const std::string& path);

  // Appends all of `bytes`, or takes back what was written of them and fails (ENOSPC, EDQUOT, EFBIG, EIO).
  [[nodiscard]] Result<void> append(std::string_view bytes);
  [[nodiscard]] Result<void> sync() const;  // fdatasync

  // What follows the last newline: the rest of a line that a crash cut. Takes it away from the file.
  [[nodiscard]] Result<std::string> take_torn_tail();
  // The last whole line without its newline; empty if there is none.
  [[nodiscard]] Result<std::string> last_line() const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  EvidenceFile(UniqueFd fd, std::string path, off_t size) : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}
  [[nodiscard]] Result<std::string> read(off_t from, off_t to) const;
  // Start of the line that ends before `end`.
  [[nodiscard]] Result<off_t> line_start(off_t end) const;
  [[nodiscard]] Result<void> cut_to_size();

  UniqueFd fd_;
  std::string path_;
  off_t size_;            // end of the last whole record
  bool cut_due_ = false;  // bytes of a failed write are still behind size_
};

}  // namespace raceguard::exporting
