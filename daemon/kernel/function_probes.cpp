// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/function_probes.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "daemon/kernel/binary_file.h"
#include "daemon/kernel/map_access.h"
#include "raceguard.skel.h"

namespace raceguard::kernel {
namespace {

std::uint8_t error_test(policy::Comparison comparison) {
  switch (comparison) {
    case policy::Comparison::kEqual:
      return RG_ERROR_EQUAL;
    case policy::Comparison::kNotEqual:
      return RG_ERROR_NOT_EQUAL;
    case policy::Comparison::kLess:
      return RG_ERROR_LESS;
    case policy::Comparison::kLessEqual:
      return RG_ERROR_LESS_EQUAL;
    case policy::Comparison::kGreater:
      return RG_ERROR_GREATER;
    case policy::Comparison::kGreaterEqual:
      return RG_ERROR_GREATER_EQUAL;
  }
  return RG_ERROR_NEVER;
}

rg_function_config slot_of(const plan::FunctionProbe& probe, rg_slot_state state) {
  rg_function_config slot{};
  slot.slow_ns = static_cast<rg_u64>(probe.slow_ns);
  slot.target_id = probe.guard_index;
  slot.cfa_offset = probe.site.cfa_offset;
  slot.in_use = static_cast<rg_u8>(state);
  slot.object_argument = probe.object_argument;
  slot.return_shift = probe.return_shift;
  if (!probe.error.empty()) {
    const policy::ErrorTest& test = probe.error.front();
    slot.error_test = error_test(test.comparison);
    slot.error_operand = test.operand;
    slot.return_bits = test.bits;
    slot.return_signed = test.is_signed ? 1 : 0;
  }
  return slot;
}

}  // namespace

FunctionProbes::FunctionProbes(const raceguard_bpf& object, UprobeWay way, bool session, std::uint32_t max_functions)
    : object_(&object),
      way_(way),
      session_(session),
      max_functions_(max_functions),
      cpus_(static_cast<std::size_t>(libbpf_num_possible_cpus())) {}

std::optional<Error> FunctionProbes::write_slot(const plan::FunctionProbe& probe, rg_slot_state state) {
  const rg_function_config slot = slot_of(probe, state);
  const int status = bpf_map_update_elem(bpf_map__fd(object_->maps.rg_functions), &probe.function_id, &slot, BPF_ANY);
  return status == 0 ? std::nullopt : std::optional(map_error("write", "rg_functions", -status));
}

std::optional<Error> FunctionProbes::clear_slot(std::uint32_t function_id) {
  const std::vector<rg_function_counters> zeros(cpus_);
  const int status =
      bpf_map_update_elem(bpf_map__fd(object_->maps.rg_function_figures), &function_id, zeros.data(), BPF_ANY);
  return status == 0 ? std::nullopt : std::optional(map_error("clear", "rg_function_figures", -status));
}

void FunctionProbes::Links::move_to(std::vector<Link>& all) {
  all.push_back(std::move(at_entry));
  std::ranges::move(at_returns, std::back_inserter(all));
}

Result<FunctionProbes::Links> FunctionProbes::attach(const plan::FunctionProbe& probe) const {
  const auto file = BinaryFile::open(probe.host_path, probe.binary);
  if (!file) {
    return fail(file.error());
  }
  UprobeSite site;
  site.probe_path = file->probe_path();
  site.shown_as = fmt::format("{} in {}", probe.symbol.demangled, probe.host_path);
  site.cookie = probe.function_id;
  site.file_offset = probe.site.file_offset;
  if (session_ && probe.site.takes_return_probe && probe.returns.empty()) {
    auto both = attach_uprobe(object_->progs.rg_function_session, UprobeWay::kSession, site);
    if (!both) {
      return fail(std::move(both).error());
    }
    return Links{{}, std::move(*both)};
  }
  // Returns first: from the first call that is counted on, its end must be seen.
  auto at_returns = attach_returns(probe, site);
  if (!at_returns) {
    return fail(std::move(at_returns).error());
  }
  auto at_entry = attach_uprobe(object_->progs.rg_function_entry, way_, site);
  if (!at_entry) {
    return fail(std::move(at_entry).error());
  }
  return Links{std::move(*at_returns), std::move(*at_entry)};
}

Result<std::vector<Link>> FunctionProbes::attach_returns(const plan::FunctionProbe& probe, UprobeSite site) const {
  std::vector<Link> links;
  const auto add = [&](const bpf_program* program) -> Result<void> {
    auto link = attach_uprobe(program, way_, site);
    if (!link) {
      return fail(std::move(link).error());
    }
    links.push_back(std::move(*link));
    return {};
  };
  for (const symbols::FunctionExit& exit : probe.returns) {
    site.file_offset = exit.file_offset;
    if (auto added = add(object_->progs.rg_function_ret); !added) {
      return fail(std::move(added).error());
    }
  }
  if (probe.returns.empty()) {
    // The return address is on top of the stack at the entry for certain; behind it only where the site says so.
    site.file_offset = probe.site.takes_return_probe ? probe.site.file_offset : probe.symbol.file_offset;
    site.at_return = true;
    if (auto added = add(object_->progs.rg_function_return); !added) {
      return fail(std::move(added).error());
    }
  }
  return links;
}

std::optional<Error> FunctionProbes::add(const plan::FunctionProbe& probe) {
  if (probe.function_id >= max_functions_) {
    return Error(ErrorCode::kPlanLimit,
                 fmt::format("function {} has slot {}, but there are {}", probe.symbol.demangled, probe.function_id,
                             max_functions_),
                 "Raise max_functions in the daemon's settings");
  }
  if (links_.contains(probe.function_id)) {
    return Error(ErrorCode::kInternal,
                 fmt::format("slot {} of {} is taken", probe.function_id, probe.symbol.demangled));
  }
  if (detaching_.contains(probe.function_id)) {  // rare, ids are reused late: what the old links see is not this one's
    detacher_.wait();
    detaching_.clear();
  }
  if (auto error = clear_slot(probe.function_id)) {
    return error;
  }
  if (auto error = write_slot(probe, RG_SLOT_ATTACHING)) {
    return error;
  }
  auto links = attach(probe);
  if (!links) {
    plan::FunctionProbe unused;
    unused.function_id = probe.function_id;
    static_cast<void>(write_slot(unused, RG_SLOT_FREE));  // the error that matters is the one of the attach
    return std::move(links).error();
  }
  links_.emplace(probe.function_id, std::move(*links));
  return write_slot(probe, RG_SLOT_ACTIVE);
}

std::optional<Error> FunctionProbes::update(const plan::FunctionProbe& probe) {
  if (!links_.contains(probe.function_id)) {
    return Error(ErrorCode::kInternal,
                 fmt::format("slot {} of {} has no probe to update", probe.function_id, probe.symbol.demangled));
  }
  return write_slot(probe, RG_SLOT_ACTIVE);
}

std::vector<Error> FunctionProbes::remove(const std::vector<std::uint32_t>& function_ids) {
  std::vector<Error> errors;
  std::vector<Link> links;
  if (detacher_.idle()) {
    detaching_.clear();
  }
  for (const std::uint32_t function_id : function_ids) {
    const auto found = links_.find(function_id);
    if (found == links_.end()) {
      continue;  // its attach had failed
    }
    plan::FunctionProbe unused;
    unused.function_id = function_id;
    // Not free: its probes are hit until they are gone, and nothing is lost by that.
    if (auto error = write_slot(unused, RG_SLOT_ATTACHING)) {
      errors.push_back(std::move(*error));
    }
    found->second.move_to(links);
    links_.erase(found);
    detaching_.insert(function_id);
  }
  detacher_.take(std::move(links));
  return errors;
}

FunctionProbes::~FunctionProbes() {
  std::vector<Link> links;
  for (auto& [function_id, pair] : links_) {
    pair.move_to(links);
  }
  detach(std::move(links));
}

Result<std::vector<FunctionReading>> FunctionProbes::read() const {
  std::vector<FunctionReading> readings;
  std::vector<rg_function_counters> of_cpus(cpus_);
  for (const auto& [function_id, links] : links_) {
    const int status =
        bpf_map_lookup_elem(bpf_map__fd(object_->maps.rg_function_figures), &function_id, of_cpus.data());
    if (status != 0) {
      return fail(map_error("read", "rg_function_figures", -status));
    }
    FunctionReading reading;
    reading.function_id = function_id;
    for (const rg_function_counters& cpu : of_cpus) {
      reading.sum.calls += cpu.calls;
      reading.sum.awaited += cpu.awaited;
      reading.sum.returns += cpu.returns;
      reading.sum.errors += cpu.errors;
      reading.sum.slow += cpu.slow;
      reading.sum.total_ns += cpu.total_ns;
      reading.sum.foreign += cpu.foreign;
      reading.sum.timed += cpu.timed;
      reading.sum.timed_ns += cpu.timed_ns;
      reading.sum.timed_long += cpu.timed_long;
      reading.sum.timed_long_ns += cpu.timed_long_ns;
      reading.sum.max_ns = std::max(reading.sum.max_ns, cpu.max_ns);
      for (std::size_t bucket = 0; bucket < RG_HISTOGRAM_BUCKETS; ++bucket) {
        reading.sum.histogram[bucket] += cpu.histogram[bucket];
      }
    }
    readings.push_back(reading);
  }
  return readings;
}

}  // namespace raceguard::kernel
