# SPDX-License-Identifier: Apache-2.0
"""raceguardctl record on every program of tests/programs with debug information, -O2: found or not, and after how long."""
import fnmatch

import judgement
import oracle
import recording


def measure(chosen, _scratch):
    rows = []
    for program in oracle.load():
        if not fnmatch.fnmatch(program.name, chosen.programs):
            continue
        binary = chosen.build / "tests/programs" / program.kind / f"{program.name}.O2-g"
        longest = 30 if program.racy else max(2, 10 * min(1, chosen.scale))
        done = recording.run(binary, chosen.build / "bin/raceguardctl", longest, until_proven=program.racy)
        verdict = judgement.judge(program, "O2-g", done.report)
        rows.append({"program": program.name, "oracle": program.kind, "cell": verdict.cell.value, "good": verdict.good,
                     "seconds": round(done.seconds, 2)})
        print(f"record {program.kind} {program.name}: {verdict.cell.value}, {done.seconds:.1f} s", flush=True)
    return rows
