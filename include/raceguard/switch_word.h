/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel-held word of a switch: 16 bits in the application, which the kernel increments for each instruction of the
 * switch's marker function on which raceguardd has a uprobe (perf's ref_ctr_offset; kernel/events/uprobes.c,
 * update_ref_ctr). If the daemon dies, the kernel takes its uprobes and so the word back.
 *
 * The daemon finds marker and word by a note in SystemTap's format (.note.stapsdt, as <sys/sdt.h> writes it), which
 * survives strip. Other languages may have symbols raceguard_word_NAME and raceguard_marker_NAME (docs/switch.md); the
 * marker here is called otherwise, so that one switch is not found twice. Any tool that attaches to the marker as to a
 * USDT probe also increments the word, and so opens the switch. */
#ifndef RACEGUARD_SWITCH_WORD_H
#define RACEGUARD_SWITCH_WORD_H

#include "abi/switch_page.h"
#include "abi/types.h"

#ifdef __cplusplus
#define RG_EXTERN_C extern "C"
#else
#define RG_EXTERN_C extern
#endif

/* Hidden: each executable or shared library has its own words. A word of default visibility in a library could be
 * moved by a copy relocation into the executable's .bss, where the kernel would not find it. */
#define RG_HIDDEN __attribute__((visibility("hidden")))

/* `retain` (gcc 11, clang 13) keeps the marker through --gc-sections also where the linker ignores notes as roots. */
#if defined(__has_attribute)
#if __has_attribute(retain)
#define RG_RETAIN __attribute__((used, retain))
#endif
#endif
#ifndef RG_RETAIN
#define RG_RETAIN __attribute__((used))
#endif

#if defined(__clang__)
#define RG_NEVER_COPIED __attribute__((noinline))
#else
#define RG_NEVER_COPIED __attribute__((noinline, noclone))
#endif

#if defined(__LP64__)
#define RG_NOTE_ADDRESS ".8byte "
#else
#define RG_NOTE_ADDRESS ".4byte "
#endif

/* Two one-byte nops to attach to: the kernel counts the word once for each probed instruction, so the value 2 takes
 * two. Then the note: sizes, type 3, owner "stapsdt", address of the first nop, of .stapsdt.base (readers correct for
 * prelinking by it) and of the word, provider, name, and no arguments. */
#define RG_SWITCH_NOTE(ident, switch_name)                                                                     \
  "990: nop\n"                                                                                                 \
  "nop\n"                                                                                                      \
  ".pushsection .note.stapsdt,\"\",\"note\"\n"                                                                 \
  ".balign 4\n"                                                                                                \
  ".4byte 992f-991f, 994f-993f, 3\n"                                                                           \
  "991: .asciz \"stapsdt\"\n"                                                                                  \
  "992: .balign 4\n"                                                                                           \
  "993: " RG_NOTE_ADDRESS "990b\n" RG_NOTE_ADDRESS "_.stapsdt.base\n" RG_NOTE_ADDRESS "raceguard_word_" #ident \
  "\n"                                                                                                         \
  ".asciz \"raceguard\"\n"                                                                                     \
  ".asciz \"" switch_name                                                                                      \
  "\"\n"                                                                                                       \
  ".asciz \"\"\n"                                                                                              \
  "994: .balign 4\n"                                                                                           \
  ".popsection\n"                                                                                              \
  ".ifndef _.stapsdt.base\n"                                                                                   \
  ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"                                      \
  ".weak _.stapsdt.base\n"                                                                                     \
  ".hidden _.stapsdt.base\n"                                                                                   \
  "_.stapsdt.base: .space 1\n"                                                                                 \
  ".size _.stapsdt.base, 1\n"                                                                                  \
  ".popsection\n"                                                                                              \
  ".endif\n"

/* What a thread remembers of a switch, so that it looks for the shared page about every 100 ms, not at every call. */
struct rg_switch_poll {
  rg_u32 left;     /* calls until the next look */
  rg_u32 interval; /* calls between the last two */
  rg_u64 last_ns;
};

struct rg_switch {
  const char* name;
  volatile rg_u16* word;
  void (*marker)(void);            /* never called; the reference keeps it through --gc-sections */
  const struct rg_page_slot* slot; /* in the shared page, or rg_closed_slot */
  rg_u32 slot_epoch;               /* of the page that `slot` was found in */
  rg_u32 tries;                    /* counts calls while half-open */
};

/* Stands for the slot of a switch that no page has: all zero, so closed. One per executable or library. */
RG_EXTERN_C RG_HIDDEN struct rg_page_slot rg_closed_slot;
__attribute__((weak)) RG_HIDDEN struct rg_page_slot rg_closed_slot;

/* In every file but one that uses the switch. */
#define RG_SWITCH_DECLARE(ident)                                               \
  RG_EXTERN_C RG_HIDDEN volatile rg_u16 raceguard_word_##ident;                \
  RG_EXTERN_C RG_HIDDEN void raceguard_noted_##ident(void);                    \
  RG_EXTERN_C RG_HIDDEN __thread struct rg_switch_poll raceguard_poll_##ident; \
  RG_EXTERN_C RG_HIDDEN struct rg_switch raceguard_switch_##ident

/* Once per executable or shared library, at file scope. `ident` is a C identifier, `switch_name` a string literal of at
 * most 63 letters, digits and . _ - / : it is the name in the policy.
 * .probes: a section of its own name is file-backed and writable; the kernel refuses a word in .bss, which has no file.
 */
#define RG_SWITCH_DEFINE(ident, switch_name)                                                    \
  RG_STATIC_ASSERT(sizeof(switch_name) <= RG_SWITCH_NAME_LEN, "the switch's name is too long"); \
  RG_SWITCH_DECLARE(ident);                                                                     \
  __attribute__((section(".probes"))) RG_RETAIN volatile rg_u16 raceguard_word_##ident = 0;     \
  __thread struct rg_switch_poll raceguard_poll_##ident = {0, 0, 0};                            \
  RG_NEVER_COPIED RG_RETAIN void raceguard_noted_##ident(void) {                                \
    __asm__ __volatile__(RG_SWITCH_NOTE(ident, switch_name));                                   \
  }                                                                                             \
  struct rg_switch raceguard_switch_##ident = {                                                 \
      switch_name, &raceguard_word_##ident, &raceguard_noted_##ident, &rg_closed_slot, 0, 0}

/* The word's values. Others than these, which only a foreign tracer on the marker can cause, count as open. */
#define RG_WORD_CLOSED 0u
#define RG_WORD_OPEN 1u
#define RG_WORD_HALF_OPEN 2u

/* One relaxed load. Takes the address of raceguard_word_IDENT. */
static inline rg_u32 rg_word_load(const volatile rg_u16* word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }

/* Of calls counted by `tries`, true for `allow_permyriad` in 10,000, evenly spread (a Weyl sequence of the golden
 * ratio: one in ten is one in ten of any few dozen calls). Safe from several threads. */
static inline int rg_take_share(rg_u32* tries, rg_u32 allow_permyriad) {
  rg_u32 turn = __atomic_fetch_add(tries, 1u, __ATOMIC_RELAXED) * 2654435769u;
  rg_u64 scaled = turn;

  return (scaled * 10000u) >> 32 < allow_permyriad;
}

#endif
