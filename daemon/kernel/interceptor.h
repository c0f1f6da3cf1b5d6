// SPDX-License-Identifier: Apache-2.0
// Functions of one process that the kernel keeps from overlapping: a BPF object of its own (bpf/intercept.bpf.c) and
// its probes. All is gone with this object, or with the process that has it, however that ends: nothing is pinned.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/plan/probe_plan.h"
#include "daemon/symbols/function_exits.h"
#include "raceguard/abi/intercept.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

// How the end of a call is seen.
enum class ExitWay {
  kReturnProbe,  // one for all exits; where no exception can come by (symbols/function_exits.h)
  kExits,        // a probe at each
};

struct InterceptedFunction {
  plan::BinaryId binary;
  std::string host_path;
  symbols::Symbol symbol;
  symbols::Site site;
  rg_section section{};
  ExitWay exit_way = ExitWay::kReturnProbe;
  std::vector<symbols::FunctionExit> exits;  // for kExits
  std::uint32_t exit_cfa_offset = 8;         // at each of them, stack pointer + this = the caller's after the call
  bool is_inside = false;                    // not the whole function: `site` is in it, and so is its one exit
};

// `__cxa_begin_catch` of a C++ runtime that the process maps: there it is known which frames an exception has left.
struct CatchSite {
  plan::BinaryId binary;
  std::string host_path;
  std::uint64_t file_offset = 0;
};

struct InterceptorOptions {
  pid_t pid = 0;
  std::int64_t wait_ns = 500'000;
  std::int64_t lease_ns = 100'000'000;
  bool dry_run = false;            // nobody waits; who would have to is counted
  bool allow_uprobe_multi = true;  // false: always single perf events (tests of the fallback)
};

class Interceptor {
 public:
  // Intercepts from its return on. At most RG_SECTIONS_MAX functions; its index is a function's place in `functions`.
  static Result<Interceptor> open(const InterceptorOptions& options, std::span<const InterceptedFunction> functions,
                                  std::span<const CatchSite> catches);
  Interceptor(Interceptor&&) noexcept;
  Interceptor& operator=(Interceptor&&) noexcept;
  ~Interceptor();  // detaches

  // Over CPUs; by function.
  [[nodiscard]] Result<std::vector<rg_section_figures>> read() const;
  // From now on no call takes or waits for a slot; what is taken is given back as ever.
  void stop();
  // False after stop(), and when the process became another program.
  [[nodiscard]] bool is_on() const;
  // Waiting on a single CPU is useless.
  void set_online_cpus(unsigned count);

 private:
  struct Impl;
  explicit Interceptor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::kernel
