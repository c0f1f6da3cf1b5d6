# SPDX-License-Identifier: Apache-2.0
"""The figures as they are kept: docs/overhead.json, and between two markers of docs/overhead.md the tables made of it."""
import json

from overhead_rows import peers_plot

BEGIN = "<!-- figures: written by tests/bench/overhead from overhead.json; edit outside of the markers only -->"
END = "<!-- end of figures -->"
# A section that was taken on another machine than the rest would make its ratios look comparable.
SAME_MACHINE = ("kernel", "cpu", "cpus", "memory_gib", "virtualised")


def merged(json_file, machine, order, sections):
    """What is in the file already, with the new sections (dictionaries) in place of the old ones."""
    kept = {}
    if json_file.exists():
        before = json.loads(json_file.read_text())
        if all(before["machine"][key] == machine[key] for key in SAME_MACHINE):
            kept = {section["key"]: section for section in before["sections"]}
        else:
            print(f"{json_file} is of another machine: its other sections are left out")
    for section in sections:
        kept[section["key"]] = joined(kept.get(section["key"]), section)
    return {"machine": machine, "sections": [kept[key] for key in order if key in kept]}


def joined(before, section):
    """A section that was taken for some workloads only keeps what was there of the others."""
    if not before or not section.get("workloads"):
        return section
    titles = {table["title"] for table in section["tables"]}
    whats = tuple(row["what"] for row in section["rows"])
    section["rows"] = [row for row in before["rows"] if row["what"] not in whats] + section["rows"]
    section["tables"] = [table for table in before["tables"] if table["title"] not in titles] + section["tables"]
    for key, value in before["details"].items():
        section["details"][key] = {**value, **section["details"].get(key, {})}
    return section


def machine_text(machine):
    rows = [
        ("last section taken", f"{machine['date']}, at commit {machine['commit']}"),
        ("system", f"{machine['distribution']}, kernel {machine['kernel']}"),
        ("CPU", f"{machine['cpu']}, {machine['cpus']} of them, clock source {machine['clock_source']}"),
        ("memory", f"{machine['memory_gib']} GiB"),
        ("virtualised", machine["virtualised"]),
    ]
    return "| machine | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def verdict(row):
    return {None: "", True: "met", False: "**missed**"}[row["met"]]


def table_text(table):
    lines = [table["head"], ["---"] * len(table["head"]), *table["rows"]]
    return f"\n{table['title']}:\n\n" + "".join("| " + " | ".join(line) + " |\n" for line in lines)


def section_text(section):
    text = f"### {section['title']}\n\n"
    text += (f"`{section['command']}`, {section['taken']}; load average {section['load_before']:.1f} before and "
             f"{section['load_after']:.1f} after.\n\n")
    text += "| | measured | goal | | of what |\n|---|---|---|---|---|\n"
    for row in section["rows"]:
        text += f"| {row['what']} | {row['measured']} | {row['goal']} | {verdict(row)} | {row['samples']} |\n"
    text += "".join(map(table_text, section.get("tables", [])))
    return text + "".join(f"\n{note}\n" for note in section["notes"])


def figures_text(document):
    return "\n".join([machine_text(document["machine"]), *map(section_text, document["sections"])])


def put_between(markdown_file, begin_marker, end_marker, text):
    """Replaces what is between two marker lines; a new file has the markers and the text only."""
    if not markdown_file.exists():
        markdown_file.write_text(f"{begin_marker}\n{end_marker}\n")
    before, begin, rest = markdown_file.read_text().partition(begin_marker)
    _, end, after = rest.partition(end_marker)
    if not begin or not end:
        raise RuntimeError(f"{markdown_file} lacks the marker lines:\n{begin_marker}\n{end_marker}")
    markdown_file.write_text(f"{before}{begin_marker}\n\n{text}\n{end_marker}{after}")


def write(json_file, markdown_file, document):
    json_file.write_text(json.dumps(document, indent=1) + "\n")
    put_between(markdown_file, BEGIN, END, figures_text(document))
    for section in document["sections"]:
        if section["key"] == "peers":
            json_file.with_suffix(".svg").write_text(peers_plot.svg(section["details"]["workloads"]))
