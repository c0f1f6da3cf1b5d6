// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/events/blocked_thread.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "bpf/futex_op.h"
#include "daemon/targets/process_reader.h"
#include "raceguard/abi/bpf.h"

namespace raceguard::events {
namespace {

void require(bool condition, const char* what) {
  if (!condition) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  }
}

// Attached for as long as it lives; the thread goes on waiting after it (glibc restarts its futex wait).
class Attached {
 public:
  explicit Attached(pid_t tid) : tid_(tid) {
    require(ptrace(PTRACE_SEIZE, tid, 0, 0) == 0, "PTRACE_SEIZE");
    require(ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0, "PTRACE_INTERRUPT");
    int status = 0;
    require(waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status), "waiting for the thread to stop");
  }
  ~Attached() { ptrace(PTRACE_DETACH, tid_, 0, 0); }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
  [[nodiscard]] user_regs_struct registers() const {
    user_regs_struct registers{};
    require(ptrace(PTRACE_GETREGS, tid_, 0, &registers) == 0, "PTRACE_GETREGS");
    return registers;
  }

 private:
  pid_t tid_;
};

bool read_memory(pid_t pid, std::uint64_t address, void* to, std::size_t size) {
  const iovec local{.iov_base = to, .iov_len = size};
  const iovec remote{.iov_base = reinterpret_cast<void*>(address), .iov_len = size};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

// As bpf_get_stack does: the chain that starts at rbp, whether it is one or not.
std::uint32_t walk_frame_pointers(pid_t pid, const user_regs_struct& registers, std::uint64_t* ips) {
  std::uint32_t count = 0;
  ips[count++] = registers.rip;
  std::uint64_t frame = registers.rbp;
  std::array<std::uint64_t, 2> words{};
  while (count < RG_FRAME_POINTER_DEPTH && read_memory(pid, frame, words.data(), sizeof words) && words[1] != 0) {
    ips[count++] = words[1];
    frame = words[0];
  }
  return count;
}

}  // namespace

std::string blocker_program(const std::string& variant) {
  return std::string(RG_BINARY_DIR) + "/tests/programs/blocker_" + variant;
}

BlockedThread::BlockedThread(const std::string& program, const std::string& mode) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  require(pipe2(in.data(), O_CLOEXEC) == 0 && pipe2(out.data(), O_CLOEXEC) == 0, "pipe2");
  UniqueFd child_in(in[0]);
  UniqueFd child_out(out[1]);
  stdin_ = UniqueFd(in[1]);
  stdout_ = UniqueFd(out[0]);
  pid_ = fork();
  require(pid_ >= 0, "fork");
  if (pid_ == 0) {
    dup2(child_in.get(), STDIN_FILENO);
    dup2(child_out.get(), STDOUT_FILENO);
    execl(program.c_str(), program.c_str(), mode.c_str(), nullptr);
    _exit(127);
  }
  child_out.reset();
  FILE* lines = fdopen(dup(stdout_.get()), "r");
  long tid = 0;
  std::array<unsigned long, 4> addresses{};
  const int fields =
      std::fscanf(lines, "%ld %lx %lx %lx %lx", &tid, &addresses[0], &addresses[1], &addresses[2], &addresses[3]);
  std::fclose(lines);
  require(fields == 5, "reading the blocker's line");
  tid_ = static_cast<pid_t>(tid);
  word_ = addresses[0];
  callers_ = {addresses[3], addresses[2], addresses[1]};
  wait_until_blocked();
  const targets::ProcessReader reader("/proc");
  const auto facts = reader.read_identity(pid_);
  require(facts.has_value(), "reading the blocker's identity");
  const auto binaries = reader.read_binaries(facts->id);
  require(binaries.has_value(), "reading the blocker's mappings");
  mappings_ = *binaries;
}

BlockedThread::~BlockedThread() {
  if (pid_ > 0) {
    stdin_.reset();
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, __WALL);
  }
}

void BlockedThread::wait_until_blocked() const {
  const std::string path = "/proc/" + std::to_string(pid_) + "/task/" + std::to_string(tid_) + "/syscall";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string number;
  std::string word;
  while (std::chrono::steady_clock::now() < deadline) {
    std::ifstream file(path);
    file >> number >> word;
    // A futex call on an address within the lock: not printf's or malloc's.
    if (number == "202") {
      const std::uint64_t address = std::stoull(word, nullptr, 16);
      if (address >= word_ && address < word_ + 64) {
        return;
      }
    }
    sched_yield();
  }
  require(false, "the blocker's thread did not block within 20 s");
}

std::vector<std::byte> BlockedThread::record(std::size_t stack_limit) const {
  rg_record_stack record{};
  const Attached attached(tid_);
  const user_regs_struct r = attached.registers();
  record.type = RG_RECORD_STACK;
  record.role = RG_STACK_WAITER;
  record.time_ns = 1'000'000'000;
  record.address = word_;
  record.duration_ns = 5'000'000;
  record.wait_class = rg_wait_class_of(static_cast<rg_u32>(r.rsi), static_cast<rg_u32>(r.rdx));  // of futex(2)
  record.tgid = static_cast<rg_u32>(pid_);
  record.tid = static_cast<rg_u32>(tid_);
  const std::array<rg_u64, RG_DWARF_REGISTERS> registers = {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi,
                                                            r.rbp, r.rsp, r.r8,  r.r9,  r.r10, r.r11,
                                                            r.r12, r.r13, r.r14, r.r15, r.rip};
  std::copy(registers.begin(), registers.end(), record.registers);
  record.frame_count = walk_frame_pointers(pid_, r, record.frame_pointer_ips);
  constexpr std::size_t kStep = 256;  // page ends are multiples of it, the rest above rsp is smaller
  std::size_t bytes = 0;
  for (std::size_t step = kStep - r.rsp % kStep;
       bytes + step <= std::min<std::size_t>(stack_limit, RG_STACK_COPY_MAX_BYTES); step = kStep) {
    if (!read_memory(pid_, r.rsp + bytes, record.stack + bytes, step)) {
      break;
    }
    bytes += step;
  }
  record.stack_bytes = static_cast<rg_u32>(bytes);
  std::vector<std::byte> raw(RG_STACK_HEADER_BYTES + bytes);
  std::memcpy(raw.data(), &record, raw.size());
  return raw;
}

}  // namespace raceguard::events
