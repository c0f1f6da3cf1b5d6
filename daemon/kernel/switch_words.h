// SPDX-License-Identifier: Apache-2.0
// Kernel-held words: a switch's value is the number of probed instructions of its marker.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/kernel/link.h"
#include "daemon/kernel/uprobe.h"
#include "daemon/plan/probe_plan.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

// The kernel adds 1 to the word (ref_ctr_offset) of every process that maps the file for each instruction that carries
// a breakpoint with that word, and takes it back when the breakpoint goes, also because the daemon died. Two uprobes on
// one instruction make one breakpoint: 2 needs a second instruction, the one behind the one-byte nop of the marker.
class SwitchWords {
 public:
  SwitchWords(const bpf_program* marker_program, UprobeWay way) : program_(marker_program), way_(way) {}
  ~SwitchWords();
  SwitchWords(const SwitchWords&) = delete;
  SwitchWords& operator=(const SwitchWords&) = delete;

  [[nodiscard]] std::optional<Error> add(const plan::SwitchWord& word);  // takes the switch's present value at once
  void remove(const plan::SwitchWord& word);
  // 0, 1 or 2 (passing through 1 between 0 and 2), in every binary that has the word.
  [[nodiscard]] std::vector<Error> set(const std::string& switch_name, unsigned value);
  [[nodiscard]] std::size_t size() const { return words_.size(); }

 private:
  static constexpr unsigned kMaxValue = 2;
  struct Word {
    plan::SwitchWord planned;
    std::array<Link, kMaxValue> steps;
  };
  [[nodiscard]] std::optional<Error> raise_to(Word& word, unsigned value) const;
  static void lower_to(Word& word, unsigned value, std::vector<Link>& dropped);

  const bpf_program* program_;
  UprobeWay way_;
  std::vector<Word> words_;
  std::map<std::string, unsigned> values_;
};

}  // namespace raceguard::kernel
