// SPDX-License-Identifier: Apache-2.0
// The answers of real binaries, from the stage symbols. Remembered by file (device, inode, size, times): a plan is made
// again after every change of the targets, and mariadbd has 40,000 functions. Symbol tables are let go after each plan.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "daemon/plan/binary_source.h"
#include "daemon/symbols/instruction.h"

namespace raceguard::plan {

class SymbolFacts;

class SymbolSource final : public BinarySource {
 public:
  // `kernel`: what the kernel stage found out by trying; it decides which site is cheapest.
  explicit SymbolSource(const symbols::KernelTreatment& kernel);
  ~SymbolSource() override;

  [[nodiscard]] Result<std::shared_ptr<BinaryFacts>> open(const targets::MappedBinary& binary,
                                                          const std::string& root) override;
  // Closes files and lets symbol tables go. Files that kPlansToRemember plans did not ask for are forgotten.
  void end_plan() override;

  [[nodiscard]] std::size_t files_read() const { return files_read_; }  // since construction
  [[nodiscard]] std::size_t files_remembered() const { return facts_.size(); }

  static constexpr std::uint64_t kPlansToRemember = 64;

 private:
  // device, inode, size, modification and change time in ns: a file overwritten in place is another one.
  using FileKey = std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;
  struct Remembered {
    std::shared_ptr<SymbolFacts> facts;
    std::uint64_t last_plan = 0;
  };

  symbols::KernelTreatment kernel_;
  std::map<FileKey, Remembered> facts_;
  std::uint64_t plan_ = 0;
  std::size_t files_read_ = 0;
};

}  // namespace raceguard::plan
