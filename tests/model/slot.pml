/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol of bpf/slot_word.h and bpf/slot.bpf.h: threads that take slots, wait, give up, are killed inside, jump out,
 * and whose slots are taken away by the lease. A step here is one read or one compare-and-swap there. A thread can die
 * in user mode only: a BPF program runs to its end, and sched_process_exit is the thread's own last one.
 *
 * Checked: two calls that both have the slot are both readers, or the lease said otherwise and was counted; when all
 * threads are gone every slot is free and nobody is waited for; nobody waits for ever, with PATIENT not even where no wait
 * has a limit (slots are waited for in one order). -DFORGET_TENURE, -DFORGET_EXIT and -DANY_ORDER break it, to see that
 * it can be broken. */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef SLOTS
#define SLOTS 1
#endif

/* The word: readers in 2 bits, a writer has it, a writer waits, number of the tenure. */
#define READERS(w) ((w) & 3)
#define WRITER 4
#define WANTED 8
#define TAKEN(w) ((w) & 7)
#define NUMBER(w) ((w) >> 4)
#define BEGIN(w, reader) ((((w) >> 4) + 1) << 4 | (reader -> 1 : WRITER))
#define CAN_TAKE(w, reader) \
  (reader -> !((w) & (WRITER | WANTED)) && READERS(w) < 3 : !TAKEN(w))
#define TAKE(w, reader) (TAKEN(w) -> (w) + 1 : BEGIN(w, reader))

int slot[SLOTS];
byte done;

/* What the assertions look at: the calls that have the slot and may rely on it. */
typedef Inside {
  bool protected[THREADS];
  bool reader[THREADS];
}
Inside inside[SLOTS];
byte lease_opened, gave_up;

inline claim(s, as_reader) {
  inside[s].protected[me] = true;
  inside[s].reader[me] = as_reader;
  other = 0;
  do
  :: other < THREADS ->
    if
    :: other != me && inside[s].protected[other] -> assert(as_reader && inside[s].reader[other])
    :: else
    fi;
    other++
  :: else -> break
  od;
  other = 0
}

/* Taken away from all who have it: from now on their calls are open, and counted. */
inline evict(s) {
  other = 0;
  do
  :: other < THREADS -> inside[s].protected[other] = false; other++
  :: else -> break
  od;
  other = 0;
  lease_opened = 1
}

inline leave(s) {
  do
  :: has[s] ->
    seen = slot[s];
#ifdef FORGET_TENURE
    next = (as_reader[s] -> (READERS(seen) -> seen - 1 : seen) : seen & ~WRITER);
#else
    next = (NUMBER(seen) != tenure[s] -> seen :
            (as_reader[s] -> (READERS(seen) -> seen - 1 : seen) : seen & ~WRITER));
#endif
    atomic {
      if
      :: next == seen || slot[s] == seen ->
        if
        :: next != seen -> slot[s] = next
        :: else
        fi;
        has[s] = false;
        inside[s].protected[me] = false
      :: else /* another CPU got on: again */
      fi
    }
  :: !has[s] -> break
  od;
  seen = 0; next = 0
}

inline unwant(s) {
  do
  :: seen = slot[s];
    if
    :: !(seen & WANTED) -> break
    :: else ->
      atomic {
        if
        :: slot[s] == seen -> slot[s] = seen & ~WANTED; break
        :: else
        fi
      }
    fi
  od
}

inline swap_in(s, value) {
  slot[s] = value;
  has[s] = true;
  tenure[s] = NUMBER(value);
  as_reader[s] = reader;
  claim(s, reader)
}

inline enter(s, may_wait) {
  do
  :: seen = slot[s];
    if
    :: CAN_TAKE(seen, reader) ->
      atomic {
        if
        :: slot[s] == seen -> next = TAKE(seen, reader); swap_in(s, next); break
        :: else
        fi
      }
    :: else ->
      if
      :: !may_wait -> gave_up = 1; break
#ifndef PATIENT
      :: may_wait -> gave_up = 1; unwant(s); break /* time-out, holder late or off its CPU */
      :: may_wait && TAKEN(seen) -> /* the lease is over */
        atomic {
          if
          :: slot[s] == seen -> evict(s); next = BEGIN(seen, reader); swap_in(s, next); break
          :: else
          fi
        }
#endif
      :: may_wait && !reader && !(seen & WANTED) ->
        atomic {
          if
          :: slot[s] == seen -> slot[s] = seen | WANTED
          :: else
          fi
        }
      :: may_wait && (reader || seen & WANTED) -> slot[s] != seen /* the next turn that sees something else */
      fi
    fi
  od;
  seen = 0; next = 0
}

proctype Thread(byte me) {
  byte round, other, first, second;
  int seen, next;
  bool reader;
  bool has[SLOTS], as_reader[SLOTS];
  int tenure[SLOTS];

  do
  :: round < ROUNDS ->
    round++;
    /* Frames that a jump left behind: the next entry knows. */
    leave(0);
#if SLOTS > 1
    leave(1);
#endif
    if
    :: reader = true
    :: reader = false
    fi;
#if SLOTS > 1
    if
    :: first = 0; second = 1
    :: first = 1; second = 0
    fi;
#endif
    enter(first, true);
#if SLOTS > 1
    if
#ifdef ANY_ORDER
    :: enter(second, true)
#else
    :: enter(second, (!has[first] || second > first))
#endif
    :: skip
    fi;
#endif
    if
    :: break /* killed inside */
    :: skip  /* longjmp, exception */
    :: /* the functions return */
#if SLOTS > 1
      leave(second);
#endif
      leave(first)
    fi
  :: break
  od;
#ifndef FORGET_EXIT
  leave(0);
#if SLOTS > 1
  leave(1);
#endif
#endif
  done++
}

init {
  byte i;
  atomic {
    do
    :: i < THREADS -> run Thread(i); i++
    :: else -> break
    od
  }
  done == THREADS;
  i = 0;
  do
  :: i < SLOTS -> assert(!TAKEN(slot[i])); assert(!(slot[i] & WANTED)); i++
  :: else -> break
  od
}
