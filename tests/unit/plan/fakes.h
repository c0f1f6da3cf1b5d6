// SPDX-License-Identifier: Apache-2.0
// Targets and binaries that exist only in memory.
#pragma once

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/plan/binary_source.h"

namespace raceguard::plan::testing {

struct FakeBinary {
  std::string build_id = "b1";
  bool go = false;
  std::vector<std::string> functions;
  std::vector<std::string> without_site;
  bool exceptions = false;
  std::vector<std::string> without_returns;  // whose ends cannot be probed
  std::uint8_t intact_arguments = 6;         // at each site
  std::vector<std::string> switches;
};

class FakeFacts final : public BinaryFacts {
 public:
  explicit FakeFacts(FakeBinary binary) : binary_(std::move(binary)) {
    for (const std::string& name : binary_.switches) {
      markers_.push_back({.name = name, .marker_offset = 0x10 * (markers_.size() + 1), .semaphore_offset = 0x4000});
    }
  }
  [[nodiscard]] const std::string& build_id() const override { return binary_.build_id; }
  [[nodiscard]] bool is_go() const override { return binary_.go; }
  [[nodiscard]] bool may_see_exceptions() const override { return binary_.exceptions; }
  [[nodiscard]] const Result<std::vector<FoundFunction>>& find_functions(const std::string& glob) override {
    std::vector<FoundFunction> found;
    std::uint64_t address = 0x1000;
    for (const std::string& name : binary_.functions) {
      address += 0x100;
      if (::fnmatch(glob.c_str(), name.c_str(), 0) == 0) {
        found.push_back({.symbol = {.name = name, .demangled = name, .address = address, .file_offset = address},
                         .site = symbols::Site{.file_offset = address + 4,
                                               .takes_return_probe = true,
                                               .intact_arguments = binary_.intact_arguments}});
      }
    }
    for (const std::string& name : binary_.without_site) {
      if (::fnmatch(glob.c_str(), name.c_str(), 0) == 0) {
        found.push_back({.symbol = {.name = name, .demangled = name},
                         .site = fail(ErrorCode::kSymbolNoSite, "no instruction of " + name)});
      }
    }
    answer_ = std::move(found);
    if (answer_->empty()) {
      answer_ = fail(ErrorCode::kSymbolNotFound, "no function matches " + glob, "Nearest: recommend_items");
    }
    return answer_;
  }
  [[nodiscard]] const Result<std::vector<symbols::FunctionExit>>& find_returns(
      const symbols::Symbol& function) override {
    returns_ = std::vector<symbols::FunctionExit>{{.address = function.address + 0x20,
                                                   .file_offset = function.file_offset + 0x20,
                                                   .instruction = "ret",
                                                   .kind = symbols::SiteKind::kSingleStepped,
                                                   .is_return = true}};
    if (std::ranges::find(binary_.without_returns, function.name) != binary_.without_returns.end()) {
      returns_ = fail(ErrorCode::kSymbolNoSite, "it leaves for another function in last place");
    }
    return returns_;
  }
  [[nodiscard]] const std::vector<symbols::SwitchMarker>& markers() override { return markers_; }
  [[nodiscard]] const std::vector<Error>& rejected_markers() override { return rejected_; }

 private:
  FakeBinary binary_;
  std::vector<symbols::SwitchMarker> markers_;
  std::vector<Error> rejected_;
  Result<std::vector<FoundFunction>> answer_;
  Result<std::vector<symbols::FunctionExit>> returns_;
};

// By inode.
class FakeSource final : public BinarySource {
 public:
  std::map<std::uint64_t, FakeBinary> binaries;
  int opens = 0;
  [[nodiscard]] Result<std::shared_ptr<BinaryFacts>> open(const targets::MappedBinary& binary,
                                                          const std::string& /*root*/) override {
    ++opens;
    const auto found = binaries.find(binary.inode);
    if (found == binaries.end()) {
      return fail(ErrorCode::kSymbolNotElf, binary.host_path + " is no ELF file");
    }
    return std::make_shared<FakeFacts>(found->second);
  }
};

inline targets::MappedBinary mapped(std::uint64_t inode, const std::string& path) {
  return {.path = path, .host_path = path, .device = 1, .inode = inode};
}

inline targets::Target target(pid_t pid, std::uint32_t guard_index, std::vector<targets::MappedBinary> binaries) {
  return {.id = {.pid = pid, .start_ticks = 1},
          .guard = "guard" + std::to_string(guard_index),
          .guard_index = guard_index,
          .comm = "app",
          .root = "/proc/" + std::to_string(pid) + "/root",
          .binaries = std::move(binaries)};
}

}  // namespace raceguard::plan::testing
