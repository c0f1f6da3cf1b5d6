# SPDX-License-Identifier: Apache-2.0
"""docs/race-proof.json, and made of it the tables between the markers of docs/race-proof.md, and the plot."""
import json
import statistics

from overhead_rows.document import END, machine_text, put_between
from race_proof_rows import plot

BEGIN = "<!-- figures: written by tests/bench/race_proof from race-proof.json; edit outside of the markers only -->"
TITLES = {
    "rate": "Time to proof against the rate of access",
    "throughput": "What being recorded costs",
    "programs": "raceguardctl record on the programs",
    "peers": "Helgrind, DRD and ThreadSanitizer on the same programs",
}
TOOLS = ("ThreadSanitizer", "Helgrind", "DRD")


def seconds_text(seconds):
    return "none" if seconds is None else f"{seconds:.1f} s"


def rate_text(rows):
    text = "![time to proof against rate](race-proof.svg)\n\n"
    text += "| accesses a second, each thread | median | range | proven |\n|---:|---:|---|---|\n"
    for row in rows:
        proven = [seconds for seconds in row["seconds"] if seconds is not None]
        spread = f"{min(proven):.1f} to {max(proven):.1f} s" if proven else ""
        text += f"| {row['rate']:,} | {seconds_text(plot.median(row))} | {spread} | {len(proven)} of {len(row['seconds'])} |\n"
    goal = next((row for row in rows if row["rate"] == plot.GOAL_RATE), None)
    if goal and goal["seconds"]:
        met = plot.median(goal) is not None and plot.median(goal) <= plot.GOAL_SECONDS
        text += f"\nGoal: median of at most {plot.GOAL_SECONDS} s at {plot.GOAL_RATE:,} a second: {'met' if met else '**missed**'}.\n"
    return text


def throughput_text(rows):
    text = ""
    for row in rows:
        median = statistics.median(row["ratios"])
        text += (f"- {row['what']}: throughput under record over that without **{median:.3f}** (median of {len(row['ratios'])} "
                 f"neighbouring windows, {min(row['ratios']):.3f} to {max(row['ratios']):.3f}; goal >= {row['goal']}: "
                 f"{'met' if median >= row['goal'] else '**missed**'}).\n")
    return text


def programs_text(rows):
    text = "| program | truth | raceguardctl record | after |\n|---|---|---|---:|\n"
    for row in rows:
        said = row["cell"] if row["good"] else f"**{row['cell']}**"
        text += f"| {row['program']} | {row['oracle']} | {said} | {row['seconds']:.1f} s |\n"
    good = {kind: [row["good"] for row in rows if row["oracle"] == kind] for kind in ("racy", "free")}
    return text + "\n" + ", ".join(f"{sum(some)} of {len(some)} {kind} programs judged right" for kind, some in good.items()) + ".\n"


def cell(figures):
    if figures is None:
        return "-", "-"
    return figures["reports"], "-" if figures["ratio"] is None else f"{figures['ratio']:.1f}"


def peers_text(rows):
    text = "| right about | " + " | ".join(TOOLS) + " |\n|---|" + "---:|" * len(TOOLS) + "\n"
    for kind in ("racy", "free"):
        told = {tool: [row["tools"][tool]["reports"] > 0 for row in rows if row["oracle"] == kind and row["tools"][tool]]
                for tool in TOOLS}
        text += f"| {kind} programs | " + " | ".join(
            f"{sum(said == (kind == 'racy') for said in told[tool])} of {len(told[tool])}" for tool in TOOLS) + " |\n"
    ratios = {tool: [row["tools"][tool]["ratio"] for row in rows if row["tools"][tool] and row["tools"][tool]["ratio"]] for tool in TOOLS}
    text += "| CPU time for the same work, times that without the tool: median (range) | " + " | ".join(
        f"{statistics.median(ratios[tool]):.0f} ({min(ratios[tool]):.1f} to {max(ratios[tool]):.0f})" if ratios[tool] else "-"
        for tool in TOOLS) + " |\n"
    text += "\n| program | truth | " + " | ".join(f"{tool}: reports | CPU" for tool in TOOLS) + " |\n"
    text += "|---|---|" + "---:|---:|" * len(TOOLS) + "\n"
    for row in rows:
        figures = [value for tool in TOOLS for value in cell(row["tools"][tool])]
        text += f"| {row['program']} | {row['oracle']} | " + " | ".join(map(str, figures)) + " |\n"
    return text


TEXTS = {"rate": rate_text, "throughput": throughput_text, "programs": programs_text, "peers": peers_text}


def section_text(section):
    return (f"### {TITLES[section['key']]}\n\n`tests/bench/race_proof --only {section['key']}`, {section['taken']}; load average "
            f"{section['load_before']:.1f} before and {section['load_after']:.1f} after.\n\n{TEXTS[section['key']](section['rows'])}")


def figures_text(document):
    return "\n".join([machine_text(document["machine"]), *map(section_text, document["sections"])])


def write(folder, document):
    (folder / "race-proof.json").write_text(json.dumps(document, indent=1) + "\n")
    rate = next((section for section in document["sections"] if section["key"] == "rate"), None)
    if rate:
        (folder / "race-proof.svg").write_text(plot.svg(rate["rows"]))
    put_between(folder / "race-proof.md", BEGIN, END, figures_text(document))
