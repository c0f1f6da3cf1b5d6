#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The runner's judgement, held to reports written by hand; and the runner itself with a raceguardctl that is a script."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import judgement  # noqa: E402
import oracle  # noqa: E402
import peers  # noqa: E402
from judgement import Cell  # noqa: E402

RACY = """\
// SPDX-License-Identifier: Apache-2.0
// oracle: racy
// variable: table[3].hits | heap
// pairs: 1-2 2-2
// builds: O2-g O2-stripped
// rate: 5 a second a thread
// One line of prose.
read(table[3].hits);  // race:1
table[3].hits = 1;  // race:2
other();
"""
FREE = RACY.replace("racy", "free").replace("// pairs: 1-2 2-2\n", "").replace("  // race:1", "").replace("  // race:2", "")
READ, WRITE, OTHER = 8, 9, 10  # lines of RACY


def program(kind, text):
    with tempfile.TemporaryDirectory() as root:
        source = pathlib.Path(root) / kind / "sample.c"
        source.parent.mkdir()
        source.write_text(text)
        return oracle.read(source)


def site(line, file="/src/racy/sample.c", stack=()):
    return {"function": "f", "file": file, "line": line, "access": "write", "stack": list(stack)}


def finding(first, second, verdict="proven", name="table[3].hits", binary="/build/sample.O2-g"):
    return {"verdict": verdict, "kind": "data_race", "variable": {"name": name, "binary": binary}, "sites": [first, second]}


class Judging(unittest.TestCase):
    def judged(self, *findings, kind="racy", variant="O2-g"):
        report = {"findings": list(findings)}
        return judgement.judge(program(kind, RACY if kind == "racy" else FREE), variant, report)

    def test_right_place(self):
        self.assertEqual(self.judged(finding(site(READ), site(WRITE))), judgement.Judgement(Cell.RIGHT, True))
        self.assertTrue(self.judged(finding(site(WRITE), site(READ))).good)  # either order
        self.assertTrue(self.judged(finding(site(WRITE), site(WRITE))).good)

    def test_wrong_line(self):
        self.assertIs(self.judged(finding(site(READ), site(OTHER))).cell, Cell.ELSEWHERE)
        self.assertIs(self.judged(finding(site(READ), site(READ))).cell, Cell.ELSEWHERE)  # marked, but not paired
        self.assertIs(self.judged(finding(site(READ), site(WRITE, "/src/another.c"))).cell, Cell.ELSEWHERE)
        self.assertIs(self.judged({**finding(site(READ), site(WRITE)), "sites": [site(WRITE)]}).cell, Cell.ELSEWHERE)

    def test_wrong_variable(self):
        self.assertIs(self.judged(finding(site(READ), site(WRITE), name="table[4].hits")).cell, Cell.ELSEWHERE)

    def test_right_one_beside_a_false_one_is_a_miss(self):
        both = finding(site(READ), site(WRITE)), finding(site(READ), site(OTHER), "likely")
        self.assertIs(self.judged(*both).cell, Cell.ELSEWHERE)

    def test_access_in_a_library(self):
        in_library = {"function": "memcpy", "file": None, "line": None,
                      "stack": [{"function": "memcpy"}, {"function": "f", "file": "/src/racy/sample.c", "line": WRITE}]}
        self.assertTrue(self.judged(finding(site(READ), in_library)).good)
        inlined = {**site(OTHER), "inlined": [{"function": "std::vector::size", "file": "/usr/include/vector", "line": OTHER},
                                              {"function": "worker", "file": "/src/racy/sample.c", "line": READ}]}
        self.assertTrue(self.judged(finding(inlined, site(WRITE))).good)

    def test_heap_word(self):
        self.assertTrue(self.judged(finding(site(READ), site(WRITE), name="word at 0x55d0c8", binary=None)).good)
        self.assertFalse(self.judged(finding(site(READ), site(WRITE), name="word at 0x55d0c8")).good)

    def test_stripped_needs_no_names(self):
        nameless = {"verdict": "proven", "variable": {"name": "0x4010"}, "sites": [{"function": None}, {"function": None}]}
        self.assertTrue(self.judged(nameless, variant="O2-stripped").good)
        self.assertIs(self.judged(nameless, kind="free", variant="O2-stripped").cell, Cell.ELSEWHERE)

    def test_likely_only(self):
        self.assertEqual(self.judged(finding(site(READ), site(WRITE), "likely")).cell, Cell.LIKELY)

    def test_value_change_has_one_side(self):
        race, change = finding(site(READ), site(WRITE)), finding(site(READ), site(WRITE), "likely")
        self.assertTrue(self.judged(race, {**change, "sites": [site(READ)]}).good)
        self.assertIs(self.judged(race, {**change, "sites": [site(OTHER)]}).cell, Cell.ELSEWHERE)

    def test_nothing(self):
        missed = self.judged(finding(site(READ), site(WRITE), "info"))
        self.assertEqual((missed.cell, missed.good), (Cell.NOTHING, False))
        self.assertIn("info on table[3].hits", missed.why)
        self.assertEqual(self.judged(kind="free"), judgement.Judgement(Cell.NOTHING, True))
        self.assertTrue(self.judged(finding(site(READ), site(WRITE), "info"), kind="free").good)

    def test_free_program_accused(self):
        for verdict in ("proven", "likely"):
            self.assertEqual(self.judged(finding(site(READ), site(WRITE), verdict), kind="free").cell, Cell.ELSEWHERE)

    def test_no_report(self):
        for kind, text in (("racy", RACY), ("free", FREE)):
            self.assertEqual(judgement.judge(program(kind, text), "O2-g", None).good, False)

    def test_matrix_counts_every_run(self):
        racy, free = program("racy", RACY), program("free", FREE)
        text = judgement.matrix([(racy, judgement.Judgement(Cell.RIGHT, True))] * 2 + [(free, judgement.Judgement(Cell.NOTHING, True))])
        self.assertRegex(text, r"racy +2 +0 +0 +0 +0\n")
        self.assertRegex(text, r"free +0 +0 +0 +1 +0$")


class Oracles(unittest.TestCase):
    def test_what_is_refused(self):
        for wrong in (RACY.replace("1-2 2-2", "1-2"[:0]), RACY.replace("1-2 2-2", "1-3"), RACY.replace("O2-g ", "O3 "),
                      RACY.replace("// rate: 5 a second a thread\n", ""), RACY.replace("builds: O2-g ", "builds: "), FREE):
            with self.subTest(wrong=wrong), self.assertRaises(oracle.OracleError):
                program("racy", wrong)

    def test_all_programs(self):
        """As many of each kind as promised, all languages, and all builds on both sides."""
        programs = oracle.load()
        for kind in ("racy", "free"):
            some = [each for each in programs if each.kind == kind]
            self.assertGreaterEqual(len(some), 22)
            self.assertEqual({each.language for each in some}, {"C", "C++", "Rust"})
            self.assertEqual({build for each in some for build in each.builds}, set(oracle.BUILDS))
        self.assertTrue(all("O2-stripped" in each.builds for each in programs if not each.racy))

    def test_sanitizer_reports_are_read(self):
        text = textwrap.dedent(f"""\
            ==================
            WARNING: ThreadSanitizer: data race (pid=1)
              Atomic write of size 8 at 0x1 by thread T1:
                #0 memcpy ../sanitizer.inc:1 (libtsan.so+0x1)
                #1 f /src/racy/sample.c:{WRITE} (sample+0x1)

              Previous read of size 8 at 0x1 by main thread:
                #0 main /src/racy/sample.c:{READ} (sample+0x2)
            ==================
            """)
        self.assertEqual(peers.sanitizer_pairs(program("racy", RACY), text), [(WRITE, READ)])


class Runner(unittest.TestCase):
    """confusion.py from end to end: `sleeper` stands for all programs, a script for raceguardctl."""

    def run_it(self, report, *options):
        with tempfile.TemporaryDirectory() as scratch:
            build = pathlib.Path(scratch)
            for kind, name in (("racy", "counter"), ("free", "mutex_counter")):
                folder = build / "tests/programs" / kind
                folder.mkdir(parents=True)
                (folder / f"{name}.O2-g").write_text("#!/bin/sh\nread end\n")
            (build / "bin").mkdir()
            (build / "bin/raceguardctl").write_text(f"#!/bin/sh\necho \"$@\" >>{build}/calls\ncat <<'END'\n{json.dumps(report)}\nEND\n")
            for script in (*build.glob("tests/programs/*/*"), build / "bin/raceguardctl"):
                script.chmod(0o755)
            done = subprocess.run([sys.executable, str(HERE / "confusion.py"), "--build", scratch, "--only", "counter.O2-g",
                                   "--only", "mutex_counter.O2-g", *options], capture_output=True, text=True)
            calls = build / "calls"
            return done, calls.read_text() if calls.exists() else ""

    @unittest.skipIf(os.geteuid() != 0, "confusion.py asks for root")
    def test_one_matrix(self):
        line = next(iter(next(each for each in oracle.load() if each.name == "counter").marks))
        race = finding(site(line, "racy/counter.c"), site(line, "racy/counter.c"), name="counter")
        done, calls = self.run_it({"findings": [race]})
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("ok   racy counter.O2-g", done.stdout)
        self.assertIn("MISS free mutex_counter.O2-g", done.stdout)
        self.assertRegex(calls, r"record -p \d+ -d 30s -o json --until-proven\n")
        self.assertRegex(calls, r"record -p \d+ -d 10s -o json\n")

    @unittest.skipIf(os.geteuid() != 0, "confusion.py asks for root")
    def test_what_is_not_run_is_said(self):
        done, calls = self.run_it({"findings": []}, "--within", "0.0001")
        self.assertEqual((done.returncode, calls), (1, ""))
        self.assertIn("NOT RUN, no time left: counter.O2-g", done.stdout)


if __name__ == "__main__":
    unittest.main()
