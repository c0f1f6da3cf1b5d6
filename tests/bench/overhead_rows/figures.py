# SPDX-License-Identifier: Apache-2.0
"""What a measurement hands over: rows of the table, and the samples behind them."""
import dataclasses
import os
import statistics


@dataclasses.dataclass
class Row:
    what: str          # "a hit at the chosen site, pthread_mutex_lock+0xe"
    measured: str      # "0.61 us"
    value: float | None = None  # in the goal's unit
    goal: str = ""     # "<= 1 ms"; empty: no goal, told for comparison
    met: bool | None = None
    samples: str = ""  # "10 rounds, 0.60 to 0.63"


@dataclasses.dataclass
class Table:
    title: str
    head: list[str]
    rows: list[list[str]]


@dataclasses.dataclass
class Section:
    key: str           # what --only takes
    title: str
    command: str       # what takes these figures, and no others
    rows: list[Row] = dataclasses.field(default_factory=list)
    tables: list[Table] = dataclasses.field(default_factory=list)  # under the rows
    notes: list[str] = dataclasses.field(default_factory=list)  # paragraphs under the tables
    details: dict = dataclasses.field(default_factory=dict)     # for the JSON file
    workloads: list[str] = dataclasses.field(default_factory=list)  # those of the section that were taken; empty: all
    load_before: float = 0
    load_after: float = 0
    taken: str = ""    # when

    def row(self, what, measured, value=None, **more):
        self.rows.append(Row(what, measured, value, **more))


def load_average():
    return os.getloadavg()[0]


def at_most(value, limit):
    return value is not None and value <= limit


def at_least(value, limit):
    return value is not None and value >= limit


def percentile(values, share):
    """The smallest value that `share` of all do not exceed: no interpolation, so that p99 is a delay that was seen."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 10000) * len(ordered) // 10000) - 1))]


def spread(values, digits=2):
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def median(values):
    return statistics.median(values)


def duration(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if abs(ns) >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.2f} ns" if abs(ns) < 10 else f"{ns:.0f} ns"


def mean(values):
    """With the half width of its 95 % interval, by the normal distribution."""
    text = f"mean {statistics.fmean(values):.3f}"
    return text + (f" +- {1.96 * statistics.stdev(values) / len(values) ** 0.5:.3f}" if len(values) > 1 else "")
