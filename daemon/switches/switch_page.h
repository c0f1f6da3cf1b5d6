// SPDX-License-Identifier: Apache-2.0
// The daemon's side of the shared page (raceguard/abi/switch_page.h): one file that applications map read-only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "daemon/switches/switch_table.h"
#include "raceguard/abi/switch_page.h"
#include "raceguard/error.h"

namespace raceguard::switches {

class SwitchPage {
 public:
  // Makes `run_directory`/switches, mode 0644, under another name and renames it into place, so that readers see a
  // whole page or none; a page that another daemon left is replaced, and its readers find the new one. The directory
  // must exist. `heartbeat_period_ns`: heartbeat() will be called at least that often; 1 ns to 60 s.
  static Result<SwitchPage> create(const std::filesystem::path& run_directory, std::int64_t heartbeat_period_ns,
                                   std::int64_t now_ns);

  SwitchPage(SwitchPage&&) noexcept = default;
  SwitchPage& operator=(SwitchPage&& other) noexcept;
  // Closes every switch, sets the heartbeat to zero and removes the file if it is still this one.
  ~SwitchPage();

  // Writes a switch's slot, a new one for a new name. kSwitchPage if the name is longer than 63 bytes or empty, or all
  // 256 slots are taken (names are never given up: applications hold pointers to their slots).
  Result<void> write(const SwitchEntry& entry);
  void heartbeat(std::int64_t now_ns);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  struct Unmap {
    void operator()(rg_page* page) const;
  };
  using Mapping = std::unique_ptr<rg_page, Unmap>;

  SwitchPage(std::filesystem::path path, Mapping page) : path_(std::move(path)), page_(std::move(page)) {}
  [[nodiscard]] rg_page_slot* slot_of(const std::string& name);
  void stop();

  std::filesystem::path path_;
  Mapping page_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace raceguard::switches
