# SPDX-License-Identifier: Apache-2.0
"""What the programs' head comments say of them.

    // oracle: racy | free
    // variable: counter | table.rows    what races, as raceguardctl names it; of a free program: what looks as if it did.
    //                                   Several names are parted by " | "; * stands for anything; heap: no global
    // pairs: 1-2 2-2                    racy only: which marked lines race with which; the code marks them by // race:1
    // builds: O0-g O2-g O2-stripped     CMakeLists.txt says what each is
    // rate: 5000 a second a thread
"""
import dataclasses
import fnmatch
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
BUILDS = ("O0-g", "O2-g", "O2-stripped", "O2-static", "O2-nopie", "O2-clang")
KEYS = ("oracle", "variable", "pairs", "builds", "rate")


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    source: pathlib.Path
    racy: bool
    variables: tuple      # patterns
    pairs: frozenset      # of (mark, mark), the smaller first
    marks: dict           # line -> mark
    builds: tuple
    rate: str
    description: str

    @property
    def kind(self):
        return "racy" if self.racy else "free"

    @property
    def language(self):
        return {".c": "C", ".cpp": "C++", ".rs": "Rust"}[self.source.suffix]

    def names(self, variable):
        """Whether a finding's variable is the oracle's. Brackets are no pattern; heap is what belongs to no binary."""
        def fits(pattern):
            if pattern == "heap":
                return variable.get("binary") is None
            return fnmatch.fnmatchcase(variable["name"], re.sub(r"\[(?=[^\]]*\])", "[[]", pattern))
        return any(fits(pattern) for pattern in self.variables)

    def races(self, line, other_line):
        """Whether accesses on these two lines race with each other."""
        marks = self.marks.get(line), self.marks.get(other_line)
        return None not in marks and tuple(sorted(marks)) in self.pairs


class OracleError(Exception):
    pass


def read(source):
    text = source.read_text()
    found = dict(re.findall(r"^// (\w+): *(.*?) *$", text, re.M))
    fields = {key: found.get(key, "") for key in KEYS}

    def need(condition, what):
        if not condition:
            raise OracleError(f"{source}: {what}")

    need(fields["oracle"] in ("racy", "free"), "the head comment needs oracle: racy or free")
    need(fields["oracle"] == source.parent.name, f"the oracle says {fields['oracle']}, the folder {source.parent.name}")
    need(fields["variable"] and fields["rate"], "the head comment needs variable: and rate:")
    builds = tuple(fields["builds"].split())
    need(builds and set(builds) <= set(BUILDS), f"builds: are some of {' '.join(BUILDS)}")
    need("O2-stripped" not in builds or "O2-g" in builds, "O2-stripped is made of O2-g")
    marks = {number: mark.group(1) for number, line in enumerate(text.splitlines(), 1)
             if (mark := re.search(r"// race:(\w+)$", line))}
    pairs = frozenset(tuple(sorted(pair.split("-"))) for pair in fields["pairs"].split())
    racy = fields["oracle"] == "racy"
    need(bool(pairs) == racy and bool(marks) == racy, "pairs: and // race: marks belong to racy programs, and to each of them")
    need({mark for pair in pairs for mark in pair} == set(marks.values()), "marks and pairs: do not name the same")
    description = " ".join(line[3:] for line in text.splitlines() if line.startswith("// ")
                           and not re.match(rf"// (SPDX-License-Identifier|{'|'.join(KEYS)}):", line))
    variables = tuple(name.strip() for name in fields["variable"].split("|"))
    return Program(source.stem, source, racy, variables, pairs, marks, builds, fields["rate"], description)


def load(root=HERE):
    """All programs, by kind and name; names are unique."""
    programs = [read(source) for kind in ("racy", "free") for source in sorted((root / kind).iterdir())]
    names = [program.name for program in programs]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise OracleError(f"two programs of one name: {', '.join(doubled)}")
    return programs
