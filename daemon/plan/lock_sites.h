// SPDX-License-Identifier: Apache-2.0
// Where probes on the lock and unlock functions of a process sit: those of its C library, or of the program itself
// where it is linked statically.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/plan/probe_plan.h"
#include "daemon/symbols/instruction.h"
#include "daemon/targets/target.h"
#include "raceguard/error.h"

namespace raceguard::plan {

struct LockSite {
  std::string function;
  std::uint32_t calls = 0;  // RG_CALL_* (raceguard/abi/burst.h)
  bool is_unlock = false;
  symbols::Site site;
  BinaryId binary;
  std::string host_path;  // how the binary is opened
};

struct LockSites {
  std::vector<LockSite> sites;
  std::vector<std::string> left_out;  // functions without a site that would do, and why
};

// kSymbolNotFound: no binary of the process has lock functions that are known here.
[[nodiscard]] Result<LockSites> find_lock_sites(std::span<const targets::MappedBinary> binaries,
                                                const std::string& root, const symbols::KernelTreatment& kernel = {});

}  // namespace raceguard::plan
