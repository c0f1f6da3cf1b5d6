// SPDX-License-Identifier: Apache-2.0
// What a plan asks of a target's files. The daemon answers with SymbolSource (symbol_source.h), tests with a fake.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/symbols/function_exits.h"
#include "daemon/symbols/symbol.h"
#include "daemon/targets/target.h"
#include "raceguard/error.h"

namespace raceguard::plan {

// A function that a glob matched, with the cheapest site that takes an entry and a return probe, or why there is none.
struct FoundFunction {
  symbols::Symbol symbol;
  Result<symbols::Site> site;
};

// One file. Answers are remembered by the implementation: a plan is made after every change of the targets.
class BinaryFacts {
 public:
  virtual ~BinaryFacts() = default;
  [[nodiscard]] virtual const std::string& build_id() const = 0;  // hex; empty: none
  [[nodiscard]] virtual bool is_go() const = 0;
  // C++ or Rust: exceptions may pass through its functions. To be asked once find_functions() found some.
  [[nodiscard]] virtual bool may_see_exceptions() const = 0;
  // The functions whose mangled or demangled name matches; never an empty list. kSymbolNotFound names the nearest ones
  // that there are.
  [[nodiscard]] virtual const Result<std::vector<FoundFunction>>& find_functions(const std::string& glob) = 0;
  // Where such a function returns, for those whose return probe an exception could pass. kSymbolNoSite: it leaves in a
  // way that a probe cannot tell, or for another function in last place, or never.
  [[nodiscard]] virtual const Result<std::vector<symbols::FunctionExit>>& find_returns(
      const symbols::Symbol& function) = 0;
  [[nodiscard]] virtual const std::vector<symbols::SwitchMarker>& markers() = 0;
  // Switches that the file declares in a way that the kernel cannot serve.
  [[nodiscard]] virtual const std::vector<Error>& rejected_markers() = 0;
};

class BinarySource {
 public:
  virtual ~BinarySource() = default;
  // Opens binary.host_path and makes sure that it is the mapped file still: kTargetBinaryReplaced if the device or
  // inode is another one. `root` (/proc/PID/root) is where its separate debug file is looked for.
  [[nodiscard]] virtual Result<std::shared_ptr<BinaryFacts>> open(const targets::MappedBinary& binary,
                                                                  const std::string& root) = 0;
  // The plan is made: whatever only serves to find new answers can be let go.
  virtual void end_plan() {}
};

}  // namespace raceguard::plan
