// SPDX-License-Identifier: Apache-2.0
// Builds the programs of tests/unit/switches/programs with a chosen compiler, as an application's author would.
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

namespace raceguard::switches {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "raceguard-switch-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

struct CommandResult {
  int status = -1;  // as from wait(2); 0: success
  std::string output;
};

constexpr std::size_t kMostOutput = 16384;  // a broken header says the same thing hundreds of times

inline CommandResult run(const std::string& command) {
  CommandResult result;
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) {
    return result;
  }
  std::array<char, 4096> chunk{};
  while (const std::size_t length = std::fread(chunk.data(), 1, chunk.size(), pipe)) {
    result.output.append(chunk.data(), length);
  }
  result.output.resize(std::min(result.output.size(), kMostOutput));
  result.status = ::pclose(pipe);
  return result;
}

// `compiler` with its flags, "gcc -std=c99 -O2"; links what `link_flags` say.
inline CommandResult build_app(const std::string& compiler, const std::string& link_flags,
                               const std::filesystem::path& output) {
  const std::string source = RG_SOURCE_DIR;
  const std::string programs = source + "/tests/unit/switches/programs/";
  return run(compiler + " -Wall -Wextra -Wconversion -Wshadow -pedantic -Werror -I" + source + "/include " + programs +
             "app_main.c " + programs + "app_other.c " + link_flags + " -o " + output.string());
}

}  // namespace raceguard::switches
