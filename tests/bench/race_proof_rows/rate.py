# SPDX-License-Identifier: Apache-2.0
"""Time to proof against the accesses a second on both sides: paced_counter at each rate, recorded until it is proven."""
import recording

RATES = (100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
ROUNDS = 7
LONGEST_SECONDS = 60


def one(chosen, rate):
    """Seconds from the start of record to its end with a proof; None: none within the longest time."""
    counter = chosen.build / "tests/programs/rate/paced_counter"
    longest = max(5, LONGEST_SECONDS * min(1, chosen.scale))
    with recording.running([counter, round(longest) + recording.PATIENCE_SECONDS + 60, rate]) as process:
        done = recording.timed_record(chosen.build / "bin/raceguardctl", process.pid, longest, until_proven=True)
    if done.report is None:
        raise RuntimeError(f"raceguardctl record gave no report: {done.output}")
    proven = any(finding["verdict"] == "proven" and finding["variable"]["name"] == "counter" for finding in done.report["findings"])
    return round(done.seconds, 3) if proven else None


def measure(chosen, _scratch):
    rounds = max(1, round(ROUNDS * chosen.scale))
    seconds = {rate: [] for rate in RATES}
    for turn in range(rounds):
        for rate in RATES:  # in turn: a slow minute of the machine does not hit one rate only
            seconds[rate].append(one(chosen, rate))
            print(f"rate {rate}/s, round {turn + 1} of {rounds}: {seconds[rate][-1] or 'not proven'}", flush=True)
    return [{"rate": rate, "seconds": taken} for rate, taken in seconds.items()]
