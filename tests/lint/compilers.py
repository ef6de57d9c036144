#!/usr/bin/env python3
"""What other compilers say of the same sources, with the flags of the build (compile_commands.json).

    compilers.py BUILD_DIR clang         clang's warnings are errors too (STYLE.md rule 22)
    compilers.py BUILD_DIR fanalyzer     gcc -fanalyzer of common, coordinator and worker: minutes
    compilers.py BUILD_DIR tidy          clang-tidy of the same
    compilers.py BUILD_DIR hardening     the programs of a release build carry what flags.cmake promises

Prints what was said, and a last line with the number of findings; exit status 1 when there are any.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANALYSE = ROOT / "tests/lint/analyse.h"
PROGRAMS = ("assay", "assay-coordinator", "assay-worker")


def commands(build):
    """(file, arguments, folder) of each source of ours; the arguments neither name an output nor sanitizers."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if not path.is_relative_to(ROOT) or path.is_relative_to(build):
            continue
        arguments = [a for a in shlex.split(entry["command"])[1:]
                     if not a.startswith(("-ffile-prefix", "-fsanitize", "-fno-sanitize")) and a != "-c"]
        at = arguments.index("-o")
        del arguments[at:at + 2]
        yield path.relative_to(ROOT), arguments, entry["directory"]


def run_all(jobs):
    """jobs: (path, arguments, folder). Prints what the failing ones said; how many there are, one when there is no job."""
    def one(job):
        path, arguments, folder = job
        p = subprocess.run(list(map(str, arguments)), cwd=folder, capture_output=True, text=True)
        return path, p.returncode, p.stdout + p.stderr
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, code, said in pool.map(one, jobs):
            if code != 0:
                findings += 1
                print(f"{path}\n{said[:6000]}", flush=True)
    if not jobs:
        print("the build folder names no source of ours")
        findings += 1
    return findings


def compile_all(build, compiler, flags):
    return run_all([(path, [compiler, *arguments, *flags], folder) for path, arguments, folder in commands(build)])


def analysed(build):
    """(file, arguments, folder, what is included first) of what an analyser reads."""
    for path, arguments, folder in commands(build):
        if path.parts[0] in ("common", "coordinator", "worker"):
            yield path, arguments, folder, [] if str(path) == "common/base/error.c" else ["-include", ANALYSE]


def fanalyzer(build):
    return run_all([(path, ["gcc", *arguments, *first, "-O1", "-fanalyzer", "-S", "-o", os.devnull], folder)
                    for path, arguments, folder, first in analysed(build)])


def tidy(build):
    """One program a file: clang-tidy 14 takes the va_list of a second one for uninitialised."""
    return run_all([(path, ["clang-tidy-14", "-p", build, "--quiet", *(f"--extra-arg={a}" for a in first), ROOT / path], ROOT)
                    for path, _, _, first in {entry[0]: entry for entry in analysed(build)}.values()])


def hardening(build):
    """Position independent, all relocations read-only before main, stack protected, checked copies."""
    findings = []
    for name in PROGRAMS:
        path = build / name

        def read(*flags, path=path):
            return subprocess.run(["readelf", "-W", *flags, str(path)], capture_output=True, text=True, check=True).stdout
        if not re.search(r"Type:\s+DYN", read("-h")):
            findings.append(f"{name}: is not position independent")
        if "GNU_RELRO" not in read("-l"):
            findings.append(f"{name}: no read-only relocations")
        if re.search(r"GNU_STACK.*E", read("-l")):
            findings.append(f"{name}: its stack is executable")
        if not re.search(r"BIND_NOW|\bNOW\b", read("-d")):
            findings.append(f"{name}: binds its symbols lazily")
        symbols = read("--dyn-syms")
        if "__stack_chk_fail" not in symbols:
            findings.append(f"{name}: no stack protector")
        if not re.search(r"__\w+_chk\b(?<!__stack_chk)", symbols):
            findings.append(f"{name}: no checked copies (_FORTIFY_SOURCE)")
    print("\n".join(findings), end="\n" if findings else "")
    return len(findings)


def main():
    build, what = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    if what == "clang":
        findings = compile_all(build, "clang-14", ["-fsyntax-only"])
    else:
        findings = {"fanalyzer": fanalyzer, "tidy": tidy, "hardening": hardening}[what](build)
    print(f"lint: {what}: {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
