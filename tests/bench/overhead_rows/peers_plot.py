# SPDX-License-Identifier: Apache-2.0
"""The plot of docs/overhead.md: each workload's throughput under each tool over that without, logarithmic, as SVG text.
A dot is a pair of windows, a bar their median."""
import html
import math
import statistics

WIDTH, LEFT, RIGHT, TOP = 900, 260, 870, 66
ROW, GAP = 17, 26
LOWEST, HIGHEST = 3e-4, 1.5
GRID = (0.001, 0.01, 0.1, 0.5, 1)


def across(ratio):
    low, high = math.log10(LOWEST), math.log10(HIGHEST)
    return LEFT + (RIGHT - LEFT) * (math.log10(min(max(ratio, LOWEST), HIGHEST)) - low) / (high - low)


def text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{html.escape(words)}</text>'


def tool_row(y, tool, samples):
    ratios = [each["rate"] for each in samples]
    kind = "own" if tool.startswith("raceguard") else "peer"
    parts = [text(LEFT - 8, y + 4, tool, "end", f'class="{kind}-name"')]
    parts.extend(f'<circle class="{kind}" cx="{across(each):.1f}" cy="{y:.1f}" r="3"/>' for each in ratios)
    x = across(statistics.median(ratios))
    parts.append(f'<line class="{kind}-middle" x1="{x:.1f}" y1="{y - 6:.1f}" x2="{x:.1f}" y2="{y + 6:.1f}"/>')
    return parts


def svg(workloads):
    """`workloads`: samples by tool, by workload."""
    parts, y = [], TOP
    for name, tools in workloads.items():
        parts.append(text(12, y + 4, name, more='class="title"'))
        for tool, samples in tools.items():
            y += ROW
            parts.extend(tool_row(y, tool, samples))
        y += GAP
    grid = []
    for ratio in GRID:
        x = across(ratio)
        grid.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 12}" x2="{x:.1f}" y2="{y - GAP + 10:.1f}"/>')
        grid.append(text(x, TOP - 18, f"{ratio:g}", "middle"))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">',
        "<!-- SPDX-License-Identifier: Apache-2.0; written by tests/bench/overhead -->",
        "<title>Throughput under a tool over that without</title>",
        "<style>text{font:12px sans-serif;fill:#333}.title{font-size:13px;font-weight:bold}.grid{stroke:#ddd}"
        ".own{fill:#2e7d32;fill-opacity:.4}.own-middle{stroke:#2e7d32;stroke-width:3}.own-name{fill:#2e7d32}"
        ".peer{fill:#3778b5;fill-opacity:.4}.peer-middle{stroke:#1b4f80;stroke-width:3}</style>",
        f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>',
        text(12, 22, "Throughput under a tool over that without (logarithmic; 1: the tool costs nothing)", more='class="title"'),
        *grid, *parts, "</svg>"]) + "\n"
