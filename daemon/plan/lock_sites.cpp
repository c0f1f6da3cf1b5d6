// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/lock_sites.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/site_choice.h"
#include "raceguard/abi/burst.h"

namespace raceguard::plan {
namespace {

struct LockFunction {
  const char* name;
  std::uint32_t calls;
  bool is_unlock = false;
};

constexpr std::uint32_t kMutex = RG_LOCK_PTHREAD_MUTEX;
constexpr std::uint32_t kRwlock = RG_LOCK_PTHREAD_RWLOCK;
constexpr std::uint32_t kSpin = RG_LOCK_PTHREAD_SPIN;

// glibc's, which std::mutex, std::shared_mutex and C11's mtx_t end in. Of two functions of one name (versions of an
// ABI) the longer one counts: the shorter one calls it.
constexpr std::array kLockFunctions = {
    LockFunction{"pthread_mutex_lock", kMutex},
    LockFunction{"pthread_mutex_trylock", kMutex | RG_CALL_TRY},
    LockFunction{"pthread_mutex_timedlock", kMutex | RG_CALL_TIMED},
    LockFunction{"pthread_mutex_clocklock", kMutex | RG_CALL_TIMED},
    LockFunction{"pthread_mutex_unlock", kMutex, true},
    LockFunction{"pthread_cond_wait", kMutex | RG_CALL_CONDITION},
    LockFunction{"pthread_cond_timedwait", kMutex | RG_CALL_CONDITION},
    LockFunction{"pthread_cond_clockwait", kMutex | RG_CALL_CONDITION},
    LockFunction{"pthread_rwlock_rdlock", kRwlock | RG_CALL_READ},
    LockFunction{"pthread_rwlock_tryrdlock", kRwlock | RG_CALL_READ | RG_CALL_TRY},
    LockFunction{"pthread_rwlock_timedrdlock", kRwlock | RG_CALL_READ | RG_CALL_TIMED},
    LockFunction{"pthread_rwlock_clockrdlock", kRwlock | RG_CALL_READ | RG_CALL_TIMED},
    LockFunction{"pthread_rwlock_wrlock", kRwlock},
    LockFunction{"pthread_rwlock_trywrlock", kRwlock | RG_CALL_TRY},
    LockFunction{"pthread_rwlock_timedwrlock", kRwlock | RG_CALL_TIMED},
    LockFunction{"pthread_rwlock_clockwrlock", kRwlock | RG_CALL_TIMED},
    LockFunction{"pthread_rwlock_unlock", kRwlock, true},
    LockFunction{"pthread_spin_lock", kSpin | RG_CALL_DECREMENT},
    LockFunction{"pthread_spin_unlock", kSpin, true},
};

bool may_have_locks(const targets::MappedBinary& binary, bool is_program) {
  const std::string_view name = symbols::file_name(binary.path);
  return is_program || name.starts_with("libc.so") || name.starts_with("libc-") || name.starts_with("libpthread");
}

// pthread_spin_lock on x86-64 is `lock decl (%rdi); jne`: the kernel refuses a probe on the first, and at the second
// the zero flag says whether the lock was taken. Anything else is not understood.
bool is_behind_decrement(const symbols::SiteChoice& choice) {
  return choice.chosen == 1 && choice.candidates.front().instruction.starts_with("lock dec") &&
         choice.candidates[1].instruction.starts_with("jnz");
}

// Empty: it has a site.
std::string add_site(const LockFunction& function, const symbols::Symbol& symbol, const symbols::ElfFile& file,
                     const symbols::KernelTreatment& kernel, std::vector<LockSite>& sites) {
  const bool has_return = !function.is_unlock && (function.calls & RG_CALL_DECREMENT) == 0;
  const auto choice =
      symbols::choose_site(file, symbol,
                           {.need_return_probe = has_return,
                            .arguments_needed = static_cast<std::uint8_t>(function.calls & RG_CALL_CONDITION ? 2 : 1),
                            .kernel = kernel});
  if (!choice) {
    return choice.error().what();
  }
  if ((function.calls & RG_CALL_DECREMENT) != 0 && !is_behind_decrement(*choice)) {
    return fmt::format("{} is not made of the instructions that are known", function.name);
  }
  auto site = symbols::chosen_site(*choice, file);
  if (!site) {
    return site.error().what();
  }
  LockSite found{.function = function.name, .calls = function.calls, .is_unlock = function.is_unlock};
  found.site = std::move(*site);
  found.binary = {.device = file.device(), .inode = file.inode(), .build_id = file.build_id()};
  found.host_path = file.path();
  sites.push_back(std::move(found));
  return {};
}

void search(const symbols::ElfFile& file, const symbols::KernelTreatment& kernel, LockSites& found) {
  for (const LockFunction& function : kLockFunctions) {
    const auto symbols = file.find_functions(function.name);
    if (!symbols) {
      continue;
    }
    const auto longest = std::max_element(symbols->begin(), symbols->end(),
                                          [](const auto& a, const auto& b) { return a.size < b.size; });
    if (std::string why = add_site(function, *longest, file, kernel, found.sites); !why.empty()) {
      found.left_out.push_back(std::move(why));
    }
  }
}

}  // namespace

Result<LockSites> find_lock_sites(std::span<const targets::MappedBinary> binaries, const std::string& root,
                                  const symbols::KernelTreatment& kernel) {
  LockSites found;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  std::string unreadable;
  for (const targets::MappedBinary& binary : binaries) {
    if (binary.host_path.empty() || !may_have_locks(binary, &binary == &binaries.front()) ||
        !seen.emplace(binary.device, binary.inode).second) {
      continue;
    }
    const auto file = symbols::ElfFile::open(binary.host_path, root);
    if (!file) {
      unreadable += (unreadable.empty() ? "" : "; ") + file.error().what();
      continue;
    }
    search(*file, kernel, found);
  }
  const bool has_locks =
      std::any_of(found.sites.begin(), found.sites.end(), [](const auto& s) { return !s.is_unlock; });
  if (!has_locks) {
    return fail(
        ErrorCode::kSymbolNotFound,
        fmt::format("no lock functions are known in this process{}{}", unreadable.empty() ? "" : ": ", unreadable),
        "Its C library must be glibc, or the program must be linked with glibc and keep its symbols");
  }
  return found;
}

}  // namespace raceguard::plan
