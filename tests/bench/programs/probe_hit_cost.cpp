// SPDX-License-Identifier: Apache-2.0
// probe_hit_cost [ROUNDS]: what a probe adds to a call, at the site that raceguard chooses and at the function's first
// instruction. One JSON line a measurement. "empty": an empty BPF program at the entry, which is the kernel's price;
// "guard": raceguard's own programs at entry and return, which is a guarded call's. Each round takes, one after the
// other: bare, chosen site, bare, offset 0.
// Probes sit in files, so every process that runs the same libc would pay: give this program a copy of libc by
// LD_LIBRARY_PATH, as tests/bench/overhead does.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "daemon/kernel/attachment.h"
#include "daemon/kernel/feature_object.h"
#include "daemon/kernel/uprobe.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/site_choice.h"
#include "features.skel.h"
#include "raceguard/unique_fd.h"
#include "tests/bench/programs/timing.h"

extern "C" int rg_bench_mov_first(int value);

namespace raceguard::bench {
namespace {

template <typename T>
T value_of(Result<T> result) {
  return result ? std::move(*result) : throw std::runtime_error(result.error().to_string());
}

// The file that holds `code`. Synced: a probe on a file not yet on the disk makes ext4 warn.
std::string file_of(const void* code) {
  Dl_info info{};
  if (::dladdr(code, &info) == 0) {
    throw std::runtime_error("a function of this program is in no file");
  }
  char* resolved = ::realpath(info.dli_fname, nullptr);
  const std::string path = resolved != nullptr ? resolved : info.dli_fname;
  std::free(resolved);
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ::fsync(file.get());
  return path;
}

struct Subject {
  std::string function;
  symbols::ElfFile file;
  symbols::Symbol symbol;
  symbols::Site first;
  symbols::Site chosen;
  std::function<double(const Batches&)> ns_per_call;
};

Subject subject_of(const std::string& function, const void* code, std::function<double(const Batches&)> ns_per_call) {
  auto file = value_of(symbols::ElfFile::open(file_of(code)));
  const symbols::Symbol symbol = value_of(file.find_functions(function)).front();
  const auto choice = value_of(symbols::choose_site(file, symbol, {.need_return_probe = true, .kernel = {}}));
  const symbols::Site chosen = value_of(symbols::chosen_site(choice, file));
  return {function, std::move(file), symbol, choice.candidates.front(), chosen, std::move(ns_per_call)};
}

std::vector<Subject> subjects() {
  std::vector<Subject> all;
  all.push_back(subject_of("rg_bench_mov_first", reinterpret_cast<const void*>(rg_bench_mov_first),
                           [](const Batches& batches) { return ns_per_run(batches, [] { rg_bench_mov_first(1); }); }));
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  all.push_back(
      subject_of("pthread_mutex_lock", ::dlsym(RTLD_DEFAULT, "pthread_mutex_lock"), [](const Batches& batches) {
        return ns_per_run(batches, [] {
          pthread_mutex_lock(&mutex);
          pthread_mutex_unlock(&mutex);
        });
      }));
  return all;
}

// Attached while it lives.
class EmptyProbe {
 public:
  EmptyProbe(features_bpf& object, kernel::UprobeWay way, const Subject& subject, const symbols::Site& site) {
    kernel::UprobeSite where;
    where.probe_path = subject.file.path();
    where.shown_as = fmt::format("{} in {}", subject.function, subject.file.path());
    where.file_offset = site.file_offset;
    link_ = value_of(kernel::attach_uprobe(object.progs.rg_empty_uprobe, way, where));
  }

 private:
  kernel::Link link_;
};

class GuardProbe {
 public:
  GuardProbe(kernel::Attachment& attachment, const Subject& subject, const symbols::Site& site)
      : attachment_(attachment) {
    plan::PlanDifference difference;
    difference.add_targets = {{.id = {.pid = ::getpid()}, .guard_index = 1, .functions = true}};
    plan::FunctionProbe probe;
    probe.guard_index = 1;
    probe.name = subject.function;
    probe.symbol = subject.symbol;
    probe.site = site;
    probe.binary = {subject.file.device(), subject.file.inode(), subject.file.build_id()};
    probe.host_path = subject.file.path();
    difference.add_functions = {probe};
    for (const Error& error : attachment_.apply(difference)) {
      throw std::runtime_error(error.to_string());
    }
  }
  GuardProbe(const GuardProbe&) = delete;
  GuardProbe& operator=(const GuardProbe&) = delete;
  ~GuardProbe() {
    plan::PlanDifference difference;
    difference.remove_functions = {0};
    static_cast<void>(attachment_.apply(difference));
  }

 private:
  kernel::Attachment& attachment_;
};

void print(const Subject& subject, const char* program, const char* at, const symbols::Site& site, double bare_ns,
           double probed_ns) {
  fmt::print(
      R"({{"function": "{}", "file": "{}", "program": "{}", "at": "{}", "offset": {}, "instruction": "{}", "bare_ns": {:.1f}, "added_ns": {:.1f}}})"
      "\n",
      subject.function, subject.file.path(), program, at, site.function_offset, site.instruction, bare_ns,
      probed_ns - bare_ns);
}

template <typename Attach>
void measure(const Subject& subject, const char* program, const Batches& batches, const Attach& attach) {
  for (const bool chosen : {true, false}) {
    const symbols::Site& site = chosen ? subject.chosen : subject.first;
    const double bare_ns = subject.ns_per_call(batches);
    const auto probe = attach(subject, site);
    print(subject, program, chosen ? "chosen" : "first", site, bare_ns, subject.ns_per_call(batches));
  }
}

void run(int rounds) {
  const bool multi = kernel::kernel_has_uprobe_multi();
  const kernel::UprobeWay way = multi ? kernel::UprobeWay::kMulti : kernel::UprobeWay::kPerfEvent;
  const std::vector<std::string> programs{"rg_empty_uprobe"};
  const auto object = value_of(kernel::load_features(programs, [way](features_bpf& opened) {
    static_cast<void>(kernel::prepare_uprobe(opened.progs.rg_empty_uprobe, way));
  }));
  auto attachment = value_of(kernel::Attachment::open({.max_functions = 16, .max_targets = 64}));
  const Batches batches;
  const std::vector<Subject> all = subjects();
  for (int round = 0; round < rounds; ++round) {
    for (const Subject& subject : all) {
      measure(subject, "empty", batches,
              [&](const Subject& on, const symbols::Site& site) { return EmptyProbe(*object, way, on, site); });
      measure(subject, "guard", batches,
              [&](const Subject& on, const symbols::Site& site) { return GuardProbe(attachment, on, site); });
    }
  }
}

}  // namespace
}  // namespace raceguard::bench

int main(int argc, char** argv) {
  try {
    raceguard::bench::run(argc > 1 ? std::atoi(argv[1]) : 10);
  } catch (const std::exception& error) {
    fmt::print(stderr, "probe_hit_cost: {}\n", error.what());
    return 1;
  }
  return 0;
}
