/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the shared page (abi/switch_page.h) from an application: never blocks, never fails loudly, follows the daemon
 * over restarts. Whatever is wrong with the page, the answer is "closed".
 *
 * A view reserves its addresses once and maps each new file over them (MAP_FIXED replaces atomically), so pointers into
 * the page stay valid for other threads. A file is mapped only if it is a regular file of full size with the right
 * header that neither group nor others may write: who can write it could truncate it, and a read past the end of a
 * mapped file is a SIGBUS. The daemon never truncates; it renames a new file into place. */
#ifndef RACEGUARD_SWITCH_PAGE_H
#define RACEGUARD_SWITCH_PAGE_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/switch_page.h"
#include "abi/types.h"

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wzero-as-null-pointer-constant"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Declared under own names, because -std=c99 hides POSIX's; 64-bit Linux only, where `long` is the kernel's. */
struct rg_timespec {
  long seconds;
  long nanoseconds;
};
int rg_clock_gettime(int clock, struct rg_timespec* time) __asm__("clock_gettime");

#define RG_CLOCK_MONOTONIC 1
#define RG_MAP_ANONYMOUS 0x20 /* the same on x86-64 and arm64 */
#define RG_O_CLOEXEC 02000000
#define RG_O_NONBLOCK 04000 /* or opening a FIFO would wait for its writer */

#define RG_PAGE_POLL_NS 100000000u           /* how often a view looks whether the file was replaced */
#define RG_PAGE_MAX_PERIOD_NS 60000000000ull /* of the heartbeat; a page that claims more is not believed */
#define RG_PAGE_READ_ATTEMPTS 64             /* a slot's write takes less than a microsecond */

typedef struct rg_page_view {
  const struct rg_page* page; /* NULL before rg_page_open; zeros until a file was mapped */
  const char* path;
  rg_u64 device; /* of the mapped file */
  rg_u64 inode;
  rg_u64 next_poll_ns;
  rg_u32 epoch; /* files mapped so far; slots found in an earlier one must be found again */
  rg_u32 pad;
} rg_page_view;

typedef struct rg_page_reading {
  rg_u32 state;           /* enum rg_switch_state */
  rg_u32 allow_permyriad; /* share of calls for the real function, 0..10000 */
  rg_u32 generation;
  rg_u64 since_ns; /* CLOCK_MONOTONIC */
  char reason[RG_SWITCH_REASON_LEN];
} rg_page_reading;

/* CLOCK_MONOTONIC in nanoseconds. */
static inline rg_u64 rg_now_ns(void) {
  struct rg_timespec now;

  now.seconds = 0;
  now.nanoseconds = 0;
  (void)rg_clock_gettime(RG_CLOCK_MONOTONIC, &now);
  return (rg_u64)now.seconds * 1000000000u + (rg_u64)now.nanoseconds;
}

/* $RACEGUARD_PAGE, unless the program runs with rights that its user lacks; else the default. */
static inline const char* rg_page_default_path(void) {
  const char* path = getauxval(23 /* AT_SECURE */) ? NULL : getenv("RACEGUARD_PAGE");

  return path && path[0] ? path : RG_PAGE_DEFAULT_PATH;
}

static inline const struct rg_page* rg_page_address(const rg_page_view* view) {
  return __atomic_load_n(&view->page, __ATOMIC_ACQUIRE);
}

/* A word of a slot, whatever the slot keeps there. */
typedef rg_u32 __attribute__((may_alias)) rg_page_word;

/* Copies a slot that another process may be writing. Acquire: a later load of the sequence number cannot come before
 * these. */
static inline void rg_page_copy(struct rg_page_slot* to, const struct rg_page_slot* from) {
  const rg_page_word* source = (const rg_page_word*)from;
  rg_page_word* target = (rg_page_word*)to;
  size_t count = sizeof(*to) / sizeof(rg_page_word);
  size_t i;

  for (i = 0; i < count; i++) target[i] = __atomic_load_n(&source[i], __ATOMIC_ACQUIRE);
}

/* A consistent copy of a slot: 1, or 0 if it was being written at every attempt. */
static inline int rg_page_read_slot(const struct rg_page_slot* slot, struct rg_page_slot* copy) {
  int attempt;

  for (attempt = 0; attempt < RG_PAGE_READ_ATTEMPTS; attempt++) {
    rg_u32 before = __atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE);

    if (before & 1u) continue;
    rg_page_copy(copy, slot);
    if (__atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) == before) {
      copy->name[RG_SWITCH_NAME_LEN - 1] = 0;
      copy->reason[RG_SWITCH_REASON_LEN - 1] = 0;
      return 1;
    }
  }
  return 0;
}

/* 0 if the descriptor's file is a page that can be mapped, else a negative errno. */
static inline int rg_page_verify(int fd, struct stat* status) {
  rg_u32 header[4]; /* magic, version, slot_count, slot_bytes */

  if (fstat(fd, status) != 0) return -errno;
  if (!S_ISREG(status->st_mode) || (status->st_mode & (S_IWGRP | S_IWOTH)) != 0) return -EPERM;
  if (status->st_size < (off_t)sizeof(struct rg_page)) return -EINVAL;
  if (read(fd, header, sizeof(header)) != (ssize_t)sizeof(header)) return -EIO;
  if (header[0] != RG_PAGE_MAGIC || header[1] != RG_PAGE_VERSION || header[2] > RG_PAGE_SLOTS ||
      header[3] != sizeof(struct rg_page_slot))
    return -EINVAL;
  return 0;
}

/* Reserves the view's addresses, once. Two threads may come here at a time. */
static inline int rg_page_reserve(rg_page_view* view) {
  const struct rg_page* expected = NULL;
  void* memory;

  if (rg_page_address(view)) return 0;
  memory = mmap(NULL, sizeof(struct rg_page), PROT_READ, MAP_PRIVATE | RG_MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -errno;
  if (!__atomic_compare_exchange_n(&view->page, &expected, (const struct rg_page*)memory, 0, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE))
    (void)munmap(memory, sizeof(struct rg_page));
  return 0;
}

static inline int rg_page_map(rg_page_view* view) {
  struct stat status;
  void* memory;
  int result;
  int fd = open(view->path, O_RDONLY | RG_O_CLOEXEC | RG_O_NONBLOCK);

  if (fd < 0) return -errno;
  result = rg_page_verify(fd, &status);
  if (result == 0) {
    memory =
        mmap((void*)(size_t)rg_page_address(view), sizeof(struct rg_page), PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    result = memory == MAP_FAILED ? -errno : 0;
  }
  (void)close(fd);
  if (result == 0) {
    __atomic_store_n(&view->device, (rg_u64)status.st_dev, __ATOMIC_RELAXED);
    __atomic_store_n(&view->inode, (rg_u64)status.st_ino, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&view->epoch, 1u, __ATOMIC_ACQ_REL);
  }
  return result;
}

/* Opens the page at `path` (NULL: $RACEGUARD_PAGE or /run/raceguard/switches); the string must outlive the view. `view`
 * must be zeroed or freshly closed. 0, or a negative errno: the view is usable then as well, every switch counts as
 * closed, and rg_page_poll keeps looking for the file. */
static inline int rg_page_open(const char* path, rg_page_view* view) {
  int result;

  __atomic_store_n(&view->path, path ? path : rg_page_default_path(), __ATOMIC_RELEASE);
  result = rg_page_reserve(view);
  return result ? result : rg_page_map(view);
}

/* Gives the addresses back. No other thread may still use the view. */
static inline void rg_page_close(rg_page_view* view) {
  if (view->page) (void)munmap((void*)(size_t)view->page, sizeof(struct rg_page));
  memset(view, 0, sizeof(*view));
}

/* At most once in RG_PAGE_POLL_NS and by one thread: maps the file if it is another one than the mapped one. Opens the
 * view if nobody did. errno is kept. */
static inline void rg_page_poll(rg_page_view* view, rg_u64 now_ns) {
  struct stat status;
  int saved_errno = errno;
  rg_u64 due = __atomic_load_n(&view->next_poll_ns, __ATOMIC_RELAXED);

  if (now_ns < due || !__atomic_compare_exchange_n(&view->next_poll_ns, &due, now_ns + RG_PAGE_POLL_NS, 0,
                                                   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    return;
  if (!rg_page_address(view)) {
    (void)rg_page_open(__atomic_load_n(&view->path, __ATOMIC_ACQUIRE), view);
  } else if (stat(view->path, &status) == 0 &&
             ((rg_u64)status.st_ino != __atomic_load_n(&view->inode, __ATOMIC_RELAXED) ||
              (rg_u64)status.st_dev != __atomic_load_n(&view->device, __ATOMIC_RELAXED))) {
    (void)rg_page_map(view);
  }
  errno = saved_errno;
}

/* 1 if the daemon's heartbeat is at most three periods old. */
static inline int rg_page_is_live(const rg_page_view* view, rg_u64 now_ns) {
  const struct rg_page* page = rg_page_address(view);
  rg_u64 beat, period;

  if (!page) return 0;
  beat = __atomic_load_n(&page->heartbeat_ns, __ATOMIC_RELAXED);
  period = __atomic_load_n(&page->heartbeat_period_ns, __ATOMIC_RELAXED);
  if (beat == 0 || period == 0 || period > RG_PAGE_MAX_PERIOD_NS) return 0;
  return (now_ns > beat ? now_ns - beat : beat - now_ns) <= 3 * period;
}

/* The slot of a switch, or NULL if the page has none of that name. */
static inline const struct rg_page_slot* rg_page_find(const rg_page_view* view, const char* name) {
  const struct rg_page* page = rg_page_address(view);
  struct rg_page_slot copy;
  rg_u32 count, i;

  if (!page || !name || !name[0]) return NULL;
  count = __atomic_load_n(&page->slot_count, __ATOMIC_ACQUIRE);
  if (count > RG_PAGE_SLOTS) count = RG_PAGE_SLOTS;
  for (i = 0; i < count; i++) {
    if (!rg_page_read_slot(&page->slots[i], &copy)) continue;
    if (!copy.name[0]) break;
    if (strcmp(copy.name, name) == 0) return &page->slots[i];
  }
  return NULL;
}

/* Reads a switch by the slot that rg_page_find gave. 1 and `*reading` if the daemon lives and the slot is still that
 * switch's; else 0: the page says nothing, so closed. */
static inline int rg_page_check(const rg_page_view* view, const struct rg_page_slot* slot, const char* name,
                                rg_u64 now_ns, rg_page_reading* reading) {
  struct rg_page_slot copy;

  if (!slot || !rg_page_is_live(view, now_ns) || !rg_page_read_slot(slot, &copy) || strcmp(copy.name, name) != 0 ||
      copy.state > RG_SWITCH_HALF_OPEN || copy.allow_permyriad > 10000u)
    return 0;
  reading->state = copy.state;
  reading->allow_permyriad = copy.allow_permyriad;
  reading->generation = copy.generation;
  reading->since_ns = copy.since_ns;
  memcpy(reading->reason, copy.reason, sizeof(reading->reason));
  return 1;
}

#ifdef __cplusplus
}
#endif

#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#endif
