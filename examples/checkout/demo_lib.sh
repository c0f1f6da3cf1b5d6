# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What examples/checkout/demo is made of: telling, awaiting conditions, starting and ending programs.
# Uses of the demo: $bin, $scratch, $begin_us, $pids, $awaited; the demo uses $code_site, $second_p50, $second_p99, $complete.
# shellcheck disable=SC2154,SC2034 # for that reason

complete=0

# ---- telling
headline() { printf '\n%s== %s%s\n' "$(bold)" "$*" "$(plain)"; }
say() { printf '[%5.1f s] %s\n' "$(elapsed)" "$*"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }
bold() { [ ! -t 1 ] || printf '\033[1m'; }
plain() { [ ! -t 1 ] || printf '\033[0m'; }
elapsed() { local now=${EPOCHREALTIME/[.,]/}; printf '%d.%d' $(((now - begin_us) / 1000000)) $(((now - begin_us) / 100000 % 10)); }
milliseconds() { printf '%.1f ms' "$1"; }

# A frame of a stack as "function (file:line)", for jq.
code_site='"\(.function)" + (if .file then " (\(.file | split("/") | last):\(.line))" else "" end)'

# ---- programs
start() { # NAME COMMAND...: in the background, output to $scratch/NAME.log
  local name=$1
  shift
  "$@" >"$scratch/$name.log" 2>&1 </dev/null &
  started=$!
  pids+=("$started")
}

running() { [ "$(ps -o stat= -p "$1" 2>/dev/null | cut -c 1)" != "" ] && [ "$(ps -o stat= -p "$1" | cut -c 1)" != Z ]; }

stop_gently() { # PID SECONDS: SIGTERM, then SIGKILL; the status is that of the program
  local waited=0 status=0
  kill -TERM "$1" 2>/dev/null || :
  while running "$1"; do
    waited=$((waited + 1))
    if [ "$waited" -gt $(($2 * 20)) ]; then kill -KILL "$1" 2>/dev/null || :; break; fi
    sleep 0.05
  done
  wait "$1" 2>/dev/null || status=$?
  return "$status"
}

finish() { # of EXIT: ends all, tells what failed, leaves nothing
  local status=$? pid log
  trap '' INT TERM HUP
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    pid=${pids[i]}
    ! running "$pid" || stop_gently "$pid" 5 || :
  done
  if [ "$complete" = 1 ]; then
    say "done: everything above really happened"
  elif [ "$status" != 130 ] && [ "$status" != 143 ]; then
    printf '\ndemo: FAILED. What did not happen: %s\n' "$awaited" >&2
    for log in "$scratch"/*.log; do
      [ -s "$log" ] || continue
      printf -- '---- the end of %s\n' "$(basename "$log")" >&2
      tail -n 15 "$log" >&2
    done
    [ "$status" != 0 ] || status=1
  fi
  rm -rf "$scratch"
  exit "$status"
}

# ---- conditions
await() { # SECONDS WHAT COMMAND...: until the command succeeds
  local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000)) pid
  awaited="$2 (waited $1 s for it)"
  shift 2
  until "$@" >/dev/null 2>&1; do
    for pid in "${pids[@]}"; do running "$pid" || { awaited="$awaited; a program ended too early"; exit 1; }; done
    [ "${EPOCHREALTIME/[.,]/}" -lt "$deadline" ] || exit 1
    sleep 0.1
  done
}

check() { # WHAT EXPRESSION: of numbers, for jq
  awaited="$1 ($2)"
  jq -en "$2" >/dev/null || exit 1
}

check_command() { # WHAT COMMAND...
  awaited=$1
  shift
  "$@" >"$scratch/check.log" 2>&1 || exit 1
}

# ---- the daemon's answers
ask() { "$bin/raceguardctl" --run-directory "$scratch/run" "$@" -o json; } # VIEW [ARGUMENT]
holds() { ask "$1" | jq -e "$2"; }                                         # VIEW FILTER
switch_field() { ask switches | jq -r ".switches[] | select(.name == \"recommendations\") | .$1"; }

# Whether the switch went to STATE, after the time SINCE (nanoseconds of the epoch) if given. Asks the history, because
# a state may be shorter than the time between two questions.
switch_was() { # STATE [SINCE]
  ask explain recommendations |
    jq -e --arg state "$1" --argjson since "${2:-0}" '.history | any(.to == $state and .enforced and .realtime_ns >= $since)'
}

# ---- the customers' figures, one JSON line a second
seconds_seen() { wc -l <"$scratch/load.log"; }

# Awaits COUNT seconds in a row, after line SKIP (default: from now on, without the second that is running) of which the
# filter is true. Sets second_p50 and second_p99 to the greatest of them.
await_seconds() { # SECONDS WHAT COUNT FILTER [SKIP]
  skip=$((${5:-$(seconds_seen)} + 1)) count=$3 filter=$4
  await "$1" "$2" seconds_hold
}
seconds_hold() {
  local found
  found=$(jq -ers "[.[$skip:][]] | . as \$all | [range(0; length - $count + 1) | \$all[.:. + $count] | select(all($filter))][0] | select(.) | \"\(map(.p50_ms) | max) \(map(.p99_ms) | max)\"" \
    "$scratch/load.log") || return 1
  read -r second_p50 second_p99 <<<"$found"
}
