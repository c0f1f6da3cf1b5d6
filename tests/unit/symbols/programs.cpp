// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/symbols/programs.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace raceguard::symbols {

ElfFile open_program(const std::string& name) {
  auto file = ElfFile::open(program_path(name));
  if (!file) {
    throw std::runtime_error(file.error().to_string());
  }
  return std::move(*file);
}

Symbol only_function(const ElfFile& file, const std::string& glob) {
  const auto found = file.find_functions(glob);
  if (!found) {
    throw std::runtime_error(found.error().to_string());
  }
  if (found->size() != 1) {
    throw std::runtime_error(glob + " has " + std::to_string(found->size()) + " matches in " + file.path());
  }
  return found->front();
}

std::vector<SelfMapping> executable_mappings_of_self() {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  std::vector<SelfMapping> mappings;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::string range, rights, offset, device, inode, path;
    fields >> range >> rights >> offset >> device >> inode >> path;
    if (path == self && rights.find('x') != std::string::npos) {
      mappings.push_back({std::stoull(range, nullptr, 16), std::stoull(offset, nullptr, 16)});
    }
  }
  return mappings;
}

ScratchDirectory::ScratchDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "raceguard-symbols-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("cannot make " + name);
  }
  path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void run(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  pid_t child = 0;
  int status = 0;
  if (::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), environ) != 0 ||
      ::waitpid(child, &status, 0) != child || status != 0) {
    throw std::runtime_error("failed: " + command[0]);
  }
}

}  // namespace raceguard::symbols
