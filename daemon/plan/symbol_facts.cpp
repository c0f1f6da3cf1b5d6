// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/symbol_facts.h"

#include <fmt/format.h>

#include <utility>

#include "daemon/symbols/exceptions.h"
#include "daemon/symbols/site_choice.h"
#include "daemon/symbols/switch_markers.h"

namespace raceguard::plan {
namespace {

Result<symbols::Site> site_of(const symbols::ElfFile& file, const symbols::Symbol& function,
                              const symbols::KernelTreatment& kernel) {
  // Latency and errors need no argument; the return probe sits where the entry probe does.
  const auto choice =
      symbols::choose_site(file, function, {.need_return_probe = true, .arguments_needed = 0, .kernel = kernel});
  return choice ? symbols::chosen_site(*choice, file) : fail(choice.error());
}

}  // namespace

Result<symbols::ElfFile> SymbolFacts::open_verified(const FilePlace& place) {
  auto file = symbols::ElfFile::open(place.host_path, place.root);
  if (file && (file->device() != place.device || file->inode() != place.inode)) {
    return fail(ErrorCode::kTargetBinaryReplaced, fmt::format("{} is inode {} by now, the process maps inode {}",
                                                              place.host_path, file->inode(), place.inode));
  }
  return file;
}

Result<std::unique_ptr<SymbolFacts>> SymbolFacts::read(FilePlace place, const symbols::KernelTreatment& kernel) {
  auto file = open_verified(place);
  if (!file) {
    return fail(file.error());
  }
  std::unique_ptr<SymbolFacts> facts(new SymbolFacts(std::move(place), kernel));
  facts->build_id_ = file->build_id();
  facts->is_go_ = file->is_go();
  facts->file_ = std::move(*file);
  return facts;
}

Result<const symbols::ElfFile*> SymbolFacts::file() {
  if (!file_) {
    auto opened = open_verified(place_);
    if (!opened) {
      return fail(opened.error());
    }
    if (opened->build_id() != build_id_) {
      return fail(ErrorCode::kTargetBinaryReplaced,
                  fmt::format("{} was overwritten: its build-id is {} by now, and was {}", place_.host_path,
                              opened->build_id(), build_id_));
    }
    file_ = std::move(*opened);
  }
  return &*file_;
}

Result<std::vector<FoundFunction>> SymbolFacts::search(const std::string& glob) {
  const auto opened = file();
  if (!opened) {
    return fail(opened.error());
  }
  const symbols::ElfFile& elf = **opened;
  auto matching = elf.find_functions(glob);
  if (!matching) {
    return fail(matching.error());
  }
  if (!may_see_exceptions_) {
    may_see_exceptions_ = symbols::may_see_exceptions(elf);
  }
  std::vector<FoundFunction> found;
  found.reserve(matching->size());
  for (symbols::Symbol& symbol : *matching) {
    auto site = site_of(elf, symbol, kernel_);
    found.push_back({.symbol = std::move(symbol), .site = std::move(site)});
  }
  return found;
}

const Result<std::vector<FoundFunction>>& SymbolFacts::find_functions(const std::string& glob) {
  const auto known = functions_.find(glob);
  // What could not be read may be readable through another process next time; what was not found stays so.
  const bool may_change = known != functions_.end() && !known->second.has_value() &&
                          known->second.error().code() != ErrorCode::kSymbolNotFound;
  if (known != functions_.end() && !may_change) {
    return known->second;
  }
  return functions_.insert_or_assign(glob, search(glob)).first->second;
}

Result<std::vector<symbols::FunctionExit>> SymbolFacts::search_returns(const symbols::Symbol& function) {
  const auto opened = file();
  return opened ? symbols::find_returns(**opened, function) : fail(opened.error());
}

const Result<std::vector<symbols::FunctionExit>>& SymbolFacts::find_returns(const symbols::Symbol& function) {
  const auto known = returns_.find(function.address);
  if (known != returns_.end() && (known->second || known->second.error().code() == ErrorCode::kSymbolNoSite)) {
    return known->second;
  }
  return returns_.insert_or_assign(function.address, search_returns(function)).first->second;
}

void SymbolFacts::read_markers() {
  if (markers_) {
    return;
  }
  const auto opened = file();
  rejected_markers_.clear();
  if (!opened) {
    rejected_markers_.push_back(opened.error());
    return;
  }
  auto found = symbols::find_switch_markers(**opened);
  markers_ = std::move(found.markers);
  rejected_markers_ = std::move(found.rejected);
}

const std::vector<symbols::SwitchMarker>& SymbolFacts::markers() {
  static const std::vector<symbols::SwitchMarker> kNone;
  read_markers();
  return markers_ ? *markers_ : kNone;
}

const std::vector<Error>& SymbolFacts::rejected_markers() {
  read_markers();
  return rejected_markers_;
}

}  // namespace raceguard::plan
