// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/switch_words.h"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "daemon/kernel/binary_file.h"

namespace raceguard::kernel {
namespace {

constexpr unsigned char kNop = 0x90;

bool same_word(const plan::SwitchWord& a, const plan::SwitchWord& b) {
  return a.switch_name == b.switch_name && a.binary == b.binary && a.marker.marker_offset == b.marker.marker_offset;
}

std::optional<Error> check_marker(const BinaryFile& file, const plan::SwitchWord& word) {
  unsigned char instruction = 0;
  const bool read = ::pread(file.fd(), &instruction, 1, static_cast<off_t>(word.marker.marker_offset)) == 1;
  if (read && instruction == kNop) {
    return std::nullopt;
  }
  return Error(ErrorCode::kSwitchWord,
               fmt::format("marker of switch {} in {} (file offset {:#x}) is not a one-byte nop", word.switch_name,
                           word.host_path, word.marker.marker_offset),
               "Build the application with the raceguard/switch.h of this version");
}

}  // namespace

SwitchWords::~SwitchWords() {
  std::vector<Link> dropped;
  for (Word& word : words_) {
    lower_to(word, 0, dropped);
  }
  detach(std::move(dropped));
}

void SwitchWords::lower_to(Word& word, unsigned value, std::vector<Link>& dropped) {
  for (unsigned step = value; step < kMaxValue; ++step) {
    if (word.steps[step]) {
      dropped.push_back(std::move(word.steps[step]));
    }
  }
}

std::optional<Error> SwitchWords::raise_to(Word& word, unsigned value) const {
  const auto missing = [&word, value] {
    return std::any_of(word.steps.begin(), word.steps.begin() + value, [](const Link& link) { return !link; });
  };
  if (!missing()) {
    return std::nullopt;
  }
  const auto file = BinaryFile::open(word.planned.host_path, word.planned.binary);
  if (!file) {
    return file.error();
  }
  if (auto error = check_marker(*file, word.planned)) {
    return error;
  }
  for (unsigned step = 0; step < value; ++step) {
    if (word.steps[step]) {
      continue;
    }
    UprobeSite site;
    site.probe_path = file->probe_path();
    site.shown_as = fmt::format("marker of switch {} in {}", word.planned.switch_name, word.planned.host_path);
    site.file_offset = word.planned.marker.marker_offset + step;
    site.ref_ctr_offset = word.planned.marker.semaphore_offset;
    auto link = attach_uprobe(program_, way_, site);
    if (!link) {
      return std::move(link).error();
    }
    word.steps[step] = std::move(*link);
  }
  return std::nullopt;
}

std::optional<Error> SwitchWords::add(const plan::SwitchWord& word) {
  const auto known =
      std::any_of(words_.begin(), words_.end(), [&word](const Word& have) { return same_word(have.planned, word); });
  if (known) {
    return std::nullopt;
  }
  words_.push_back(Word{word, {}});
  const auto value = values_.find(word.switch_name);
  return value == values_.end() ? std::nullopt : raise_to(words_.back(), value->second);
}

void SwitchWords::remove(const plan::SwitchWord& word) {
  std::vector<Link> dropped;
  std::erase_if(words_, [&](Word& have) {
    const bool same = same_word(have.planned, word);
    if (same) {
      lower_to(have, 0, dropped);
    }
    return same;
  });
  detach(std::move(dropped));
}

std::vector<Error> SwitchWords::set(const std::string& switch_name, unsigned value) {
  std::vector<Error> errors;
  if (value > kMaxValue) {
    errors.emplace_back(ErrorCode::kInternal,
                        fmt::format("value {} for the word of switch {} is above {}", value, switch_name, kMaxValue));
    return errors;
  }
  values_[switch_name] = value;
  std::vector<Link> dropped;
  for (Word& word : words_) {
    if (word.planned.switch_name != switch_name) {
      continue;
    }
    lower_to(word, value, dropped);
    if (auto error = raise_to(word, value)) {
      errors.push_back(std::move(*error));
    }
  }
  detach(std::move(dropped));
  return errors;
}

}  // namespace raceguard::kernel
