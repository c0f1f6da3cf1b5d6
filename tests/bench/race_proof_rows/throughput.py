# SPDX-License-Identifier: Apache-2.0
"""What being recorded costs a program that touches the racy variable 100,000 times a second from each of two threads and
computes in between: its accesses a second in windows with and without record, in turns."""
import statistics

import recording

RATE = 100_000
PAIRS = 10
WINDOW_SECONDS = 6


def window(lines, seconds):
    """The median of the next seconds' counts."""
    return statistics.median(float(lines.readline()) for _ in range(seconds))


def measure(chosen, _scratch):
    pairs = max(1, round(PAIRS * chosen.scale))
    counter = chosen.build / "tests/programs/rate/paced_counter"
    ctl = chosen.build / "bin/raceguardctl"
    ratios = []
    with recording.running([counter, (pairs + 1) * WINDOW_SECONDS * 4, RATE, "work"], capture=True) as process:
        window(process.stdout, 2)
        for turn in range(pairs):
            without = window(process.stdout, WINDOW_SECONDS)
            with recording.recording_meanwhile(ctl, process.pid, WINDOW_SECONDS + 3):
                window(process.stdout, 2)  # it reads the program's symbols
                under = window(process.stdout, WINDOW_SECONDS)
            window(process.stdout, 1)  # in which record ended
            ratios.append(round(under / without, 4))
            print(f"throughput under record over that without, pair {turn + 1} of {pairs}: {ratios[-1]:.3f}", flush=True)
    return [{"rate": RATE, "ratios": ratios}]
