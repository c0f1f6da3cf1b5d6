/* SPDX-License-Identifier: Apache-2.0 */
/* What an application includes to be degraded by raceguard. C99 or C++11 and later, gcc or clang, no library.
 *
 *     #include <raceguard/switch.h>
 *     RG_SWITCH_DEFINE(recommend, "checkout.recommend");      // in one file; RG_SWITCH_DECLARE(recommend); in others
 *
 *     items = rg_allow(recommend) ? recommend_for(user) : bestsellers();
 *
 * A switch is closed until raceguardd opens it, and closed again when raceguardd stops or dies. The program needs no
 * daemon to run. Two transports carry a decision, and either is enough: the kernel-held word (switch_word.h) and the
 * shared page (switch_page.h), by default /run/raceguard/switches or what $RACEGUARD_PAGE names. docs/switch.md. */
#ifndef RACEGUARD_SWITCH_H
#define RACEGUARD_SWITCH_H

#include "switch_page.h"
#include "switch_word.h"

/* The share of calls that go to the real function while half-open, without a page that says more: 1 of 10. */
#define RG_DEFAULT_SHARE_PERMYRIAD 1000u
/* Calls between two looks at the clock, however fast a thread calls. */
#define RG_POLL_MAX_CALLS 255u

/* The page that rg_allow reads. One per executable or library. */
RG_EXTERN_C RG_HIDDEN rg_page_view rg_default_page;
__attribute__((weak)) RG_HIDDEN rg_page_view rg_default_page;

/* By the word alone, one load and one branch while closed: 1 if this call should go to the fallback. */
#define rg_switch_is_open(ident) rg_switch_is_open_at(&raceguard_word_##ident, &raceguard_switch_##ident)

/* By word and page: 1: call the real function; 0: call the fallback. While the switch is closed, three loads, a
 * decrement and a branch. */
#define rg_allow(ident) rg_allow_at(&raceguard_word_##ident, &raceguard_switch_##ident, &raceguard_poll_##ident)

static inline int rg_switch_is_open_at(const volatile rg_u16* word, struct rg_switch* self) {
  rg_u32 value = rg_word_load(word);

  if (__builtin_expect(value == RG_WORD_CLOSED, 1)) return 0;
  return value != RG_WORD_HALF_OPEN || !rg_take_share(&self->tries, RG_DEFAULT_SHARE_PERMYRIAD);
}

/* Sets how many calls this thread makes until it looks again, aiming at RG_PAGE_POLL_NS. */
static inline void rg_switch_pace(struct rg_switch_poll* poll, rg_u64 now_ns) {
  rg_u64 elapsed = now_ns - poll->last_ns;
  rg_u64 per_call_ns = elapsed / (poll->interval + 1u) + 1u;
  rg_u32 calls = RG_POLL_MAX_CALLS;

  while (calls > 0 && calls * per_call_ns > RG_PAGE_POLL_NS) calls >>= 1;
  poll->last_ns = now_ns;
  poll->interval = calls;
  poll->left = poll->interval;
}

/* Finds the switch's slot again if the page is another one, or did not have it so far. */
static inline const struct rg_page_slot* rg_switch_slot(struct rg_switch* self, int search) {
  rg_u32 epoch = __atomic_load_n(&rg_default_page.epoch, __ATOMIC_ACQUIRE);
  const struct rg_page_slot* slot = __atomic_load_n(&self->slot, __ATOMIC_ACQUIRE);

  if (__atomic_load_n(&self->slot_epoch, __ATOMIC_RELAXED) == epoch && (slot != &rg_closed_slot || !search))
    return slot;
  slot = rg_page_find(&rg_default_page, self->name);
  if (!slot) slot = &rg_closed_slot;
  __atomic_store_n(&self->slot, slot, __ATOMIC_RELEASE);
  __atomic_store_n(&self->slot_epoch, epoch, __ATOMIC_RELAXED);
  return slot;
}

/* Out of line: whatever is not "closed, and no look due". */
__attribute__((noinline, cold, unused)) static int rg_allow_slowly(struct rg_switch* self, struct rg_switch_poll* poll,
                                                                   rg_u32 word, int look) {
  rg_u64 now_ns = rg_now_ns();
  const struct rg_page_slot* slot;
  rg_page_reading page;
  int page_speaks;

  if (look) {
    rg_page_poll(&rg_default_page, now_ns);
    rg_switch_pace(poll, now_ns);
  }
  slot = rg_switch_slot(self, look);
  page_speaks = rg_page_check(&rg_default_page, slot, self->name, now_ns, &page);
  if (page_speaks && page.state == RG_SWITCH_HALF_OPEN) return rg_take_share(&self->tries, page.allow_permyriad);
  if (page_speaks && page.state == RG_SWITCH_OPEN) return 0;
  if (word == RG_WORD_HALF_OPEN) return rg_take_share(&self->tries, RG_DEFAULT_SHARE_PERMYRIAD);
  return word == RG_WORD_CLOSED;
}

static inline int rg_allow_at(const volatile rg_u16* word, struct rg_switch* self, struct rg_switch_poll* poll) {
  rg_u32 value = rg_word_load(word);
  const struct rg_page_slot* slot = __atomic_load_n(&self->slot, __ATOMIC_RELAXED);
  rg_u32 state = __atomic_load_n(&slot->state, __ATOMIC_RELAXED);
  rg_u32 left = poll->left;

  poll->left = left - 1;
  if (__builtin_expect((value | state) == 0 && left != 0, 1)) return 1;
  if (left == 0) poll->left = 0;
  return rg_allow_slowly(self, poll, value, left == 0);
}

#endif
