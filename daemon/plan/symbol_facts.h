// SPDX-License-Identifier: Apache-2.0
// What one real file answered. The file is opened when a question is new, and closed by release().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/plan/binary_source.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/instruction.h"

namespace raceguard::plan {

// Where a file is reached, and which it must be.
struct FilePlace {
  std::string host_path;
  std::string root;  // debug files are looked for below it
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

class SymbolFacts final : public BinaryFacts {
 public:
  // kTargetBinaryReplaced if another file is at the place by now.
  static Result<std::unique_ptr<SymbolFacts>> read(FilePlace place, const symbols::KernelTreatment& kernel);

  [[nodiscard]] const std::string& build_id() const override { return build_id_; }
  [[nodiscard]] bool is_go() const override { return is_go_; }
  [[nodiscard]] bool may_see_exceptions() const override { return may_see_exceptions_.value_or(false); }
  [[nodiscard]] const Result<std::vector<FoundFunction>>& find_functions(const std::string& glob) override;
  [[nodiscard]] const Result<std::vector<symbols::FunctionExit>>& find_returns(
      const symbols::Symbol& function) override;
  [[nodiscard]] const std::vector<symbols::SwitchMarker>& markers() override;
  [[nodiscard]] const std::vector<Error>& rejected_markers() override;

  void move_to(FilePlace place) { place_ = std::move(place); }
  void release() { file_.reset(); }

 private:
  SymbolFacts(FilePlace place, const symbols::KernelTreatment& kernel) : place_(std::move(place)), kernel_(kernel) {}
  static Result<symbols::ElfFile> open_verified(const FilePlace& place);
  Result<const symbols::ElfFile*> file();
  Result<std::vector<FoundFunction>> search(const std::string& glob);
  Result<std::vector<symbols::FunctionExit>> search_returns(const symbols::Symbol& function);
  void read_markers();

  FilePlace place_;
  symbols::KernelTreatment kernel_;
  std::string build_id_;
  bool is_go_ = false;
  std::optional<bool> may_see_exceptions_;  // read with the first functions that are found: most files have none
  std::optional<symbols::ElfFile> file_;
  std::map<std::string, Result<std::vector<FoundFunction>>> functions_;
  std::map<std::uint64_t, Result<std::vector<symbols::FunctionExit>>> returns_;  // by address
  std::optional<std::vector<symbols::SwitchMarker>> markers_;
  std::vector<Error> rejected_markers_;
};

}  // namespace raceguard::plan
