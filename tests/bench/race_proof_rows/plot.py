# SPDX-License-Identifier: Apache-2.0
"""The plot of time to proof against rate, both logarithmic, as SVG text: each round a circle, the medians a line, rounds
without a proof triangles at the upper edge."""
import math
import statistics

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 740, 50, 380
RATES = (1e2, 1e3, 1e4, 1e5, 1e6)
SECONDS = (0.1, 1, 10, 60)
GOAL_RATE, GOAL_SECONDS = 10_000, 5


def across(rate):
    low, high = math.log10(70), math.log10(1.5e6)
    return LEFT + (RIGHT - LEFT) * (math.log10(rate) - low) / (high - low)


def up(seconds):
    low, high = math.log10(0.1), math.log10(90)
    return BOTTOM - (BOTTOM - TOP) * (math.log10(min(max(seconds, 0.1), 90)) - low) / (high - low)


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{words}</text>'


def axes():
    parts = []
    for rate in RATES:
        x = across(rate)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{BOTTOM}"/>')
        parts.append(text(x, BOTTOM + 18, f"{int(rate):,}"))
    for seconds in SECONDS:
        y = up(seconds)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{RIGHT}" y2="{y:.1f}"/>')
        parts.append(text(LEFT - 8, y + 4, f"{seconds:g} s", "end"))
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 42, "accesses a second, by each of two threads"))
    parts.append(text(LEFT, TOP - 22, "Seconds from the start of raceguardctl record to the proof", "start", 'class="title"'))
    return parts


def goal():
    x, y = across(GOAL_RATE), up(GOAL_SECONDS)
    return [f'<path class="goal" d="M {x - 9:.1f} {y:.1f} h 18 M {x:.1f} {y:.1f} v 10"/>',
            text(x + 13, y + 4, f"goal: {GOAL_SECONDS} s", "start", 'class="goal-text"')]


def rounds(row):
    x = across(row["rate"])
    for seconds in row["seconds"]:
        if seconds is None:
            yield f'<path class="none" d="M {x - 5:.1f} {TOP + 4} h 10 l -5 -9 z"/>'
        else:
            yield f'<circle class="round" cx="{x:.1f}" cy="{up(seconds):.1f}" r="3"/>'


def median(row):
    """Of all rounds, those without a proof counted as longer than any; None: most had none."""
    value = statistics.median([math.inf if seconds is None else seconds for seconds in row["seconds"]])
    return value if value < math.inf else None


def svg(rows):
    line = [(across(row["rate"]), up(median(row))) for row in rows if median(row) is not None]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
             "<!-- SPDX-License-Identifier: Apache-2.0; written by tests/bench/race_proof -->",
             "<title>Time to proof against rate of access</title>",
             "<style>text{font:12px sans-serif;fill:#333}.title{font-size:14px;font-weight:bold}.grid{stroke:#ddd}"
             ".round{fill:#3778b5;fill-opacity:.35}.median{fill:none;stroke:#1b4f80;stroke-width:2}.none{fill:#b5372f;fill-opacity:.6}"
             ".goal{stroke:#2e7d32;stroke-width:2;fill:none}.goal-text{fill:#2e7d32}</style>",
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', *axes(), *goal()]
    for row in rows:
        parts.extend(rounds(row))
    if line:
        parts.append('<polyline class="median" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in line) + '"/>')
    parts.append(text(RIGHT, HEIGHT - 6, "circle: a round; line: medians; red triangle: no proof in time", "end"))
    return "\n".join([*parts, "</svg>"]) + "\n"
