// SPDX-License-Identifier: Apache-2.0
// The one list of error codes. The letter names the stage: P policy, T targets, S symbols, L plan, A kernel (attach),
// E events, D detect, B breaker, W switches, X export, C raceguardctl, M the daemon itself. A code is never reused.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace raceguard {

// X(enumerator, "stable id", "title")
#define RG_ERROR_CODES(X)                                                                \
  X(kPolicyUnreadable, "RG-P101", "policy file cannot be read")                          \
  X(kPolicySyntax, "RG-P102", "policy is not valid YAML")                                \
  X(kPolicyUnknownKey, "RG-P103", "unknown key in policy")                               \
  X(kPolicyDuplicateKey, "RG-P104", "duplicate key in policy")                           \
  X(kPolicyValue, "RG-P105", "wrong value or unit in policy")                            \
  X(kPolicyRange, "RG-P106", "value out of range in policy")                             \
  X(kPolicyReference, "RG-P107", "policy refers to something it does not define")        \
  X(kPolicyMatchesNothing, "RG-P108", "glob in policy matches nothing")                  \
  X(kPolicyMissingKey, "RG-P109", "required key missing in policy")                      \
  X(kTargetGone, "RG-T101", "target process is gone")                                    \
  X(kTargetUnreadable, "RG-T102", "target process cannot be inspected")                  \
  X(kTargetBinaryReplaced, "RG-T103", "target's binary was replaced or deleted on disk") \
  X(kSymbolFileUnreadable, "RG-S101", "binary cannot be read")                           \
  X(kSymbolNotFound, "RG-S102", "symbol not found")                                      \
  X(kSymbolGoProgram, "RG-S103", "function return in a Go program is refused")           \
  X(kSymbolNoSite, "RG-S104", "function has no instruction that can be probed")          \
  X(kSymbolNotElf, "RG-S105", "not an x86-64 ELF file")                                  \
  X(kSymbolMayThrow, "RG-S106", "exceptions may pass through the function")              \
  X(kPlanConflict, "RG-L101", "plan has conflicting entries")                            \
  X(kPlanLimit, "RG-L102", "plan exceeds a limit")                                       \
  X(kKernelOpen, "RG-A101", "BPF object cannot be opened")                               \
  X(kKernelLoad, "RG-A102", "BPF program refused by the kernel")                         \
  X(kKernelAbi, "RG-A103", "BPF object and daemon disagree about the ABI")               \
  X(kKernelAttach, "RG-A104", "probe cannot be attached")                                \
  X(kKernelMap, "RG-A105", "BPF map cannot be read or written")                          \
  X(kKernelPermission, "RG-A106", "missing right for BPF or perf")                       \
  X(kKernelUnsupported, "RG-A107", "kernel lacks a feature")                             \
  X(kEventMalformed, "RG-E101", "event record is malformed")                             \
  X(kEventFile, "RG-E102", "event recording cannot be read or written")                  \
  X(kUnwind, "RG-E103", "user stack cannot be unwound")                                  \
  X(kFindingUnknown, "RG-D101", "no such finding")                                       \
  X(kSuppressionFile, "RG-D102", "suppressions cannot be added to")                      \
  X(kBudgetExceeded, "RG-B101", "probe costs more than its budget")                      \
  X(kSwitchUnknown, "RG-W101", "no such switch")                                         \
  X(kSwitchPage, "RG-W102", "switch page cannot be created or mapped")                   \
  X(kSwitchWord, "RG-W103", "kernel-held switch word cannot be set")                     \
  X(kEvidenceFile, "RG-X101", "evidence file cannot be written")                         \
  X(kEvidenceBroken, "RG-X102", "evidence chain is broken")                              \
  X(kHttpListen, "RG-X103", "HTTP address cannot be bound")                              \
  X(kControlSocket, "RG-X104", "control socket cannot be used")                          \
  X(kControlRefused, "RG-X105", "control request refused")                               \
  X(kControlRequest, "RG-X106", "control request is malformed")                          \
  X(kHttpRequest, "RG-X107", "HTTP request cannot be answered")                          \
  X(kUsage, "RG-C101", "wrong usage")                                                    \
  X(kDaemonUnreachable, "RG-C102", "daemon cannot be reached")                           \
  X(kAlreadyRunning, "RG-M101", "another raceguardd is running")                         \
  X(kDaemonSetup, "RG-M102", "daemon cannot start")                                      \
  X(kInternal, "RG-M199", "internal error, please report")

enum class ErrorCode : std::uint16_t {
#define RG_ERROR_ENUM(name, id, title) name,
  RG_ERROR_CODES(RG_ERROR_ENUM)
#undef RG_ERROR_ENUM
};

struct ErrorCodeText {
  std::string_view id;
  std::string_view title;
};

inline constexpr std::array kErrorCodeTexts = {
#define RG_ERROR_TEXT(name, id, title) ErrorCodeText{id, title},
    RG_ERROR_CODES(RG_ERROR_TEXT)
#undef RG_ERROR_TEXT
};

constexpr ErrorCodeText describe(ErrorCode code) { return kErrorCodeTexts.at(static_cast<std::size_t>(code)); }

}  // namespace raceguard
