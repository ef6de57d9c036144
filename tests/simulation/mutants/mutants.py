#!/usr/bin/env python3
"""Builds the simulator with one fault in the shipped code, and sees that the oracle finds it.

    mutants.py --build DIR [--seeds 2000] [--jobs 2] [--only NAME ...] [--part K/N] [--list]

A mutant is a block of one of the .txt files here: `= name`, a sentence, then `file PATH` with the lines that go (`-`)
and the lines that come in their place (`+`); indentation does not matter, and the lines must be found exactly once. Or
`switch NAME`: a fault of the simulator's own glue. The changed file is compiled as its compile_commands.json says and
linked before the libraries, so nothing of the project is touched. A mutant is caught when some seed of 1..N fails that
passes without it; one that hangs a seed for a minute is caught too. Prints `ok NAME ...` or `not ok NAME ...`.

What stands in open/ is not caught yet: the oracle or the worlds are too weak for it, or it does no harm. `--open` tries
those; one that is caught belongs into the list.
"""
import argparse
import concurrent.futures
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
STEP = 100  # seeds of one process, so that a hang is bounded
SECONDS_MAX = 60


class Mutant:
    def __init__(self, group, name):
        self.group, self.name = group, name
        self.why, self.file, self.switch = "", None, None
        self.gone, self.come = [], []

    def text(self):
        """The changed file."""
        lines = (ROOT / self.file).read_text().split("\n")
        bare = [line.strip() for line in lines]
        want = [line.strip() for line in self.gone]
        places = [i for i in range(len(bare) - len(want) + 1) if bare[i:i + len(want)] == want]
        if len(places) != 1:
            raise ValueError(f"its lines stand {len(places)} times in {self.file}, not once: the mutant is to be "
                             f"written anew")
        at = places[0]
        return "\n".join(lines[:at] + self.come + lines[at + len(want):])


def read_all(folder):
    found = []
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text().split("\n"):
            if line.startswith("= "):
                found.append(Mutant(path.stem, line[2:].strip()))
            elif line.startswith("file "):
                found[-1].file = line[5:].strip()
            elif line.startswith("switch "):
                found[-1].switch = line[7:].strip()
            elif line.startswith("- "):
                found[-1].gone.append(line[2:])
            elif line.startswith("+ "):
                found[-1].come.append(line[2:])
            elif line.strip():
                found[-1].why += line.strip() + " "
    return found


class Builder:
    def __init__(self, build, work):
        self.build, self.work = build, work
        commands = json.loads((build / "compile_commands.json").read_text())
        self.compile = {c["file"]: shlex.split(c["command"]) for c in commands}
        link = subprocess.run(["ninja", "-C", build, "-t", "commands", "simulate"], capture_output=True, text=True,
                              check=True).stdout.strip().split("\n")[-1]
        link = re.sub(r"^: && | && :$", "", link)
        self.link = shlex.split(link)

    def make(self, mutant):
        """The program with this fault."""
        folder = self.work / mutant.name
        folder.mkdir()
        source = folder / pathlib.Path(mutant.file).name
        source.write_text(mutant.text())
        command = list(self.compile[str(ROOT / mutant.file)])
        command[command.index("-o") + 1] = str(folder / "mutant.o")
        command[command.index("-c") + 1] = str(source)
        self.run([c for c in command if not c.startswith("-Werror")] + ["-w"])
        link = list(self.link)
        program = folder / "simulate"
        link[link.index("-o") + 1] = str(program)
        first_library = next(i for i, part in enumerate(link) if part.endswith(".a"))
        self.run(link[:first_library] + [str(folder / "mutant.o")] + link[first_library:])
        return [program]

    def run(self, command):
        done = subprocess.run(command, cwd=self.build, capture_output=True, text=True)
        if done.returncode != 0:
            raise ValueError("it does not build:\n" + (done.stderr or done.stdout)[-2000:])


def failing(command, begin, end):
    """(seed, what it says) of the first seed of begin..end that fails, or None. A hang or a crash names the first."""
    try:
        done = subprocess.run([*command, "--seeds", f"{begin}..{end}"], capture_output=True, text=True,
                              timeout=SECONDS_MAX, errors="replace")
    except subprocess.TimeoutExpired:
        return begin, f"no end within {SECONDS_MAX} s"
    if done.returncode == 0:
        return None
    found = re.search(r"seed (\d+) fails at (.*)", done.stdout)
    if found:
        return int(found[1]), found[2]
    return begin, "crash: " + (done.stderr.strip().split("\n")[-1] or f"status {done.returncode}")


def first_shown(command, sound, seeds):
    """(seed, what it says) of the first seed that fails with the fault and passes without it, or None."""
    begin = 1
    while begin <= seeds:
        end = min((begin - 1) // STEP * STEP + STEP, seeds)
        found = failing(command, begin, end)
        if not found:
            begin = end + 1
            continue
        seed, says = found
        exact = not says.startswith(("no end", "crash"))
        if not failing([sound], seed, seed if exact else end):
            return found
        begin = seed + 1 if exact else end + 1
    return None


def judge(builder, mutant, seeds, sound):
    begun = time.monotonic()
    try:
        command = [sound, "--mutant", mutant.switch] if mutant.switch else builder.make(mutant)
    except ValueError as e:
        return False, str(e)
    found = first_shown(command, sound, seeds)
    if not found:
        return False, f"not caught in {seeds} seeds ({time.monotonic() - begun:.0f} s): {mutant.why.strip()}"
    return True, f"seed {found[0]}: {found[1][:110]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--part", default="1/1", help="the K-th of N parts, for a rotation")
    parser.add_argument("--open", action="store_true", help="those that are not caught yet")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    mutants = read_all(HERE / "open" if args.open else HERE)
    if args.list:
        for m in mutants:
            print(f"{m.group:9} {m.name:34} {m.why.strip()}")
        return 0
    part, parts = (int(x) for x in args.part.split("/"))
    chosen = [m for i, m in enumerate(mutants) if (not args.only or m.name in args.only) and i % parts == part % parts]
    if not chosen or (args.only and len(chosen) < len(set(args.only)) and parts == 1):
        print("not ok mutants some of the names are unknown")
        return 1
    build = args.build.resolve()
    sound = build / "tests" / "simulate"
    failed = 0
    with tempfile.TemporaryDirectory(prefix="assay-mutants-") as work:
        builder = Builder(build, pathlib.Path(work))
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            jobs = {pool.submit(judge, builder, m, args.seeds, sound): m for m in chosen}
            for job in concurrent.futures.as_completed(jobs):
                caught, text = job.result()
                failed += not caught
                print(f"{'ok' if caught else 'not ok'} mutant_{jobs[job].name} {text}", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} mutants caught within {args.seeds} seeds")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
