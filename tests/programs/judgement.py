# SPDX-License-Identifier: Apache-2.0
"""Holds what `raceguardctl record -o json` reported against a program's oracle. Pure: no process is started here."""
import dataclasses
import enum
import os


class Cell(enum.Enum):
    """A column of the confusion matrix."""
    RIGHT = "proven, right place"
    ELSEWHERE = "false finding"     # proven or likely, where the oracle knows no race
    LIKELY = "likely only"
    NOTHING = "nothing"
    NO_REPORT = "no report"         # record or the program failed


@dataclasses.dataclass(frozen=True)
class Judgement:
    cell: Cell
    good: bool
    why: str = ""  # of a miss


def frames(site):
    """(file, line), the innermost first: of what was inlined at the site, of the site's function, of its callers."""
    for frame in [*site.get("inlined", []), site, *site.get("stack", [])]:
        if frame.get("file") and frame.get("line"):
            yield frame["file"], frame["line"]


def line_in_program(program, site):
    """The line of the program that the access belongs to: the library function that it called may have done it."""
    for file, line in frames(site):
        if os.path.basename(file) == program.source.name:
            return line
    return None


def objection(program, variant, finding):
    """Why a finding is not one of the oracle's races; empty: it is one."""
    if not program.racy:
        return "the program is free of races"
    if variant == "O2-stripped":
        return ""  # no names and no lines to go by
    if not program.names(finding["variable"]):
        return f"variable {finding['variable']['name']} instead of {' or '.join(program.variables)}"
    lines = [line_in_program(program, site) for site in finding.get("sites", [])]
    if finding["verdict"] == "likely" and len(lines) == 1 and program.marks.get(lines[0]):
        return ""  # the value changed and nobody was seen: one side is all that can be told
    if len(lines) != 2 or not program.races(*lines):
        return f"lines {lines} are no pair of the oracle's"
    return ""


def describe(finding):
    """One line for people."""
    sites = " and ".join(f"{site.get('function') or '?'} ({os.path.basename(site.get('file') or '?')}:{site.get('line') or '?'}, "
                         f"{site.get('access', '?')})" for site in finding.get("sites", []))
    return f"{finding.get('verdict')} on {finding['variable']['name']}: {sites}"


def judge(program, variant, report):
    """The judgement on one report (the decoded JSON); None: there was none."""
    if report is None:
        return Judgement(Cell.NO_REPORT, False, "no report")
    claims = [finding for finding in report["findings"]
              if finding["verdict"] in ("proven", "likely") and not finding.get("suppressed_by")]
    for finding in claims:
        against = objection(program, variant, finding)
        if against:
            return Judgement(Cell.ELSEWHERE, False, f"{describe(finding)}; {against}")
    if any(finding["verdict"] == "proven" for finding in claims):
        return Judgement(Cell.RIGHT, program.racy)
    if claims:
        return Judgement(Cell.LIKELY, False, f"{describe(claims[0])}, and nothing proven")
    if not program.racy:
        return Judgement(Cell.NOTHING, True)
    doubtful = [describe(finding) for finding in report["findings"]]
    return Judgement(Cell.NOTHING, False, "nothing was found" + (f" but {'; '.join(doubtful)}" if doubtful else ""))


def explain(report):
    """What was reported, for the list of misses: every finding with what its verdict rests and hangs on, and the sums."""
    for finding in report["findings"]:
        yield f"{describe(finding)} x{finding.get('count', '?')}"
        yield from (f"    {finding[key]}" for key in ("because", "caveat") if finding.get(key))
        for site in finding.get("sites", []):
            yield f"    {site.get('instruction')}"
            yield from (f"        {frame.get('function') or frame.get('address')} {frame.get('file') or frame.get('binary')}:{frame.get('line')}"
                        for frame in [*site.get("inlined", []), site, *site.get("stack", [])[1:]][:7])
    for key in ("coverage", "judged", "cost", "drops", "notes"):
        if report.get(key):
            yield f"{key}: " + str(report[key]).replace("'", "").strip("{}[]")


def matrix(results):
    """The confusion matrix as text, of (program, judgement)."""
    cells = list(Cell)
    lines = [f"{'':12}" + "".join(f"{cell.value:>22}" for cell in cells)]
    for kind in ("racy", "free"):
        counts = [sum(1 for program, judgement in results if program.kind == kind and judgement.cell is cell) for cell in cells]
        lines.append(f"{kind:12}" + "".join(f"{count:>22}" for count in counts))
    return "\n".join(lines)
