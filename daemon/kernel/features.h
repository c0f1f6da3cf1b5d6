// SPDX-License-Identifier: Apache-2.0
// What this kernel lets this process do, learned by trying. Never by version: vendors take features out and put them
// in.
#pragma once

#include <string>
#include <vector>

namespace raceguard::kernel {

struct Feature {
  std::string name;  // "uprobe_multi"
  bool available = false;
  bool required = false;  // raceguard does not run without it
  std::string how;        // how it was tried
  int error = 0;          // errno of the try; 0: none, or none is told
  std::string detail;     // what else was seen; may be empty
  std::string used_for;
  std::string without;  // what raceguard does where it is missing
  std::string remedy;   // what may bring it
  std::string since;    // release and kernel commit
};

// Tries each; about 0.2 s. Leaves nothing behind.
std::vector<Feature> probe_features();

}  // namespace raceguard::kernel
