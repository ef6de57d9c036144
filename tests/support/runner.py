"""Builds and runs the groups of tests/run and adds up what each test said of itself.

A test is a cmocka sentence, a Python unittest method, or a line `ok NAME` / `not ok NAME` / `skip NAME REASON` of a
group's own `tests/GROUP/run`. Of a test that fails the assertions are shown, then the end of its output. A line
`figure: TEXT` or a JSON object of one name, `{"NAME": ...}`, is a measurement: all of them are shown again at the end.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
# Cheap ones first.
GROUPS = ["lint", "unit", "property", "oracle", "fuzz", "simulation", "integration", "browser", "bench", "chaos"]
# What measures, kills real processes or keeps every processor busy itself runs alone.
ALONE = {"bench", "integration", "lint", "fuzz", "simulation", "browser", "chaos"}
SANITISED_TOO = {"unit", "property", "integration", "simulation"}
# Seconds of fuzzing, of all targets together, when every group runs; two run at a time.
FUZZ_BUDGET_S, FUZZ_EACH_S = 240, 15
JOBS = os.cpu_count() or 2
RELEASE, SANITISED, THREADS = ROOT / "build", ROOT / "build-san", ROOT / "build-tsan"
# The threaded shells run once more under ThreadSanitizer.
THREADED = re.compile(r"unit_(io_test_(ring|log|zsock|secrets|metrics)|net_|link_|outbox_|fleet_)")


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped, self.figures = 0, [], [], []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.figures += other.figures


def sh(args, env=None, timeout=3600):
    started = time.monotonic()
    try:
        p = subprocess.run([str(a) for a in args], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, env={**os.environ, **(env or {})})
        return p.returncode, p.stdout, time.monotonic() - started
    except subprocess.TimeoutExpired as e:
        out = e.stdout or b""
        return 124, (out.decode(errors="replace") if isinstance(out, bytes) else out) + "\ntimed out\n", timeout


def linked(folder, wanted):
    """Programs and libraries of a build folder whose name `wanted` accepts."""
    listed = subprocess.run(["ninja", "-C", folder, "-t", "targets", "all"], capture_output=True, text=True, check=True).stdout
    outputs = re.findall(r"^(.+): C_(?:EXECUTABLE|STATIC_LIBRARY)_LINKER_", listed, re.M)
    return [o for o in outputs if wanted(o.rsplit("/", 1)[-1])]


def build(folder, wanted, *options):
    """Configures all, so that compile_commands.json is whole, and builds what will run there."""
    started = time.monotonic()
    cache = folder / "CMakeCache.txt"
    # A checkout that was moved or copied brings a build folder of another place along.
    moved = cache.exists() and f"CMAKE_HOME_DIRECTORY:INTERNAL={ROOT}\n" not in cache.read_text()
    for args in (lambda: ["cmake", *["--fresh"] * moved, "-S", ROOT, "-B", folder, "-G", "Ninja", *options],
                 lambda: ["ninja", "-C", folder, *linked(folder, wanted)]):
        code, out, _ = sh(args())
        if code != 0:
            print("\n".join(out.splitlines()[-60:]))
            print(f"not ok build {folder.name}")
            print("0 passed, 1 failed, 0 skipped")
            sys.exit(1)
    print(f"== build {folder.name}: {time.monotonic() - started:.0f} s", flush=True)


def read_cmocka(name, code, out):
    count = Count()
    count.passed = len(re.findall(r"^\[       OK \] ", out, re.M))
    count.failed = [f"{name}: {t}" for t in dict.fromkeys(re.findall(r"^\[  (?:FAILED|ERROR)   ?\] (\w+)$", out, re.M))]
    count.skipped = [f"{name}:{t}" for t in dict.fromkeys(re.findall(r"^\[  SKIPPED \] (\w+)$", out, re.M))]
    if code != 0 and not count.failed:
        count.failed = [f"{name}: exit status {code}"]
    if code == 0 and count.passed + len(count.skipped) == 0:
        if re.search(r"^[1-9]\d* inputs$", out, re.M):
            count.passed = 1
        else:
            count.failed = [f"{name}: ran no test"]
    return count


def read_unittest(name, code, out):
    count = Count()
    for m in re.finditer(r"^(\w+) \(([\w.]+)\)(?:\n.*)? \.\.\. (?:.*\n)*?(ok|FAIL|ERROR|skipped '.*')$", out, re.M):
        label = f"{name}:{m[1]}"
        if m[3] == "ok":
            count.passed += 1
        elif m[3].startswith("skipped"):
            count.skipped.append(label)
    # From the summary, which names parts of tests (subTest) and failing preparations as well.
    count.failed = [f"{name}:{t}" for t in dict.fromkeys(re.findall(r"^(?:FAIL|ERROR): (\w+) \(", out, re.M))]
    if code != 0 and not count.failed:
        count.failed = [f"{name}: exit status {code}"]
    if code == 0 and count.passed + len(count.skipped) == 0:
        count.failed = [f"{name}: ran no test"]
    return count


def read_lines(name, code, out):
    count = Count()
    count.passed = len(re.findall(r"^ok ", out, re.M))
    count.failed = [f"{name}: {t}" for t in re.findall(r"^not ok (.*)$", out, re.M)]
    count.skipped = [f"{name}:{t}" for t in re.findall(r"^skip (\S+)", out, re.M)]
    if code != 0 and not count.failed:
        count.failed = [f"{name}: exit status {code}"]
    if code == 0 and count.passed + len(count.skipped) == 0:
        count.failed = [f"{name}: ran no test"]
    return count


def read_figures(out):
    """Lines `figure: TEXT` as they are; JSON objects as `name: key value, key value`."""
    figures = [m.strip() for m in re.findall(r"^\s*figure: (.*)$", out, re.M)]
    for line in re.findall(r"^\{.*\}$", out, re.M):
        try:
            values = json.loads(line)
        except ValueError:
            continue
        key = next(iter(values), None)
        if len(values) == 1 and isinstance(values[key], dict):
            name, values = key, values[key]
        elif key == "bench":
            name = values.pop(key)
        else:
            continue
        figures.append(f"{name}: " + ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()))
    return figures


def assertions(out):
    """The lines that say what was wrong, which leak traces and logs may have pushed out of sight."""
    wanted = re.compile(r"^\[  (ERROR|FAILED)|^\[   LINE|^(AssertionError|bug:|FAIL:|ERROR:|not ok)|ERROR: \w+Sanitizer|runtime error:|"
                        r"WARNING: ThreadSanitizer|^SUMMARY: |\bseed[ =:]+\d", re.I)
    return [line[:400] for line in out.splitlines() if wanted.search(line)][:40]


def executables(folder, label):
    code, out, _ = sh(["ctest", "--test-dir", folder, "-L", f"^{label}$", "--show-only=json-v1"])
    tests = json.loads(out[out.index("{"):])["tests"] if code == 0 and "{" in out else []
    return [(t["name"], t["command"]) for t in tests if "command" in t]


def run_jobs(jobs, parallel, timeout):
    """jobs: (name, reader, args, env). Shows what failed."""
    total = Count()

    def one(job):
        name, reader, args, env = job
        code, out, seconds = sh(args, env, timeout)
        count = reader(name, code, out)
        count.figures = read_figures(out)
        return name, out, seconds, count
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        for name, out, seconds, count in pool.map(one, jobs):
            total.add(count)
            if count.failed:
                first, lines = assertions(out), out.splitlines()
                print(f"---- {name}\n" + "\n".join(first + ["..."] * (len(lines) > 120 and bool(first)) + lines[-120:]) +
                      f"\n---- end of {name}", flush=True)
            elif seconds > 20:
                print(f"   {name}: {seconds:.0f} s", flush=True)
    return total


def fuzz_seconds(explicit):
    """What each target gets: its full time when asked for by name, a fair share of the budget when everything runs."""
    targets = len(list((TESTS / "fuzz").glob("fuzz_*.c")))
    if explicit or targets == 0:
        return FUZZ_EACH_S
    each = max(2, min(FUZZ_EACH_S, FUZZ_BUDGET_S // targets))
    print(f"   fuzz: {targets} targets share {FUZZ_BUDGET_S} s, {each} s each, two at a time (tests/run fuzz: {FUZZ_EACH_S} s each)", flush=True)
    return each


def exists(group):
    return group in ("unit", "property") or (TESTS / group / "run").exists() or any((TESTS / group).glob("**/test_*.py"))


def read_arguments(arguments):
    """(long, groups, flags for a group's own script: from the first that is not --long on)"""
    rest = [a for a in arguments if a != "--long"]
    first = next((i for i, a in enumerate(rest) if a.startswith("-")), len(rest))
    return "--long" in arguments, rest[:first], rest[first:]


def environment(long):
    return {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1",
           "TSAN_OPTIONS": f"suppressions={TESTS / 'support' / 'tsan.supp'}",
           "ASSAY_BUILD": str(RELEASE), "ASSAY_BUILD_SANITISED": str(SANITISED), "ASSAY_LONG": "1" if long else "",
           "ASSAY_SHARED": os.environ.get("ASSAY_SHARED", str(ROOT.parent / "shared"))}


def script_jobs(group, flags):
    args = ["bash", TESTS / group / "run"] + ([RELEASE] if group == "lint" else []) + flags
    return [(f"{group}/run", read_lint if group == "lint" else read_lines, args, environment(False))]


def group_jobs(group, long, explicit):
    jobs, env = [], environment(long)
    for name, command in executables(SANITISED, group) if group in SANITISED_TOO else []:
        jobs.append((name, read_cmocka, command, env))
    if group == "unit":
        for name, command in executables(THREADS, group):
            if THREADED.match(name):
                jobs.append((f"tsan_{name}", read_cmocka, command, env))
    for path in sorted((TESTS / group).glob("**/test_*.py")):
        jobs.append((f"{group}/{path.stem}", read_unittest, ["/usr/bin/python3", "-m", "unittest", "-v", str(path.relative_to(ROOT))], env))
    script = TESTS / group / "run"
    if script.exists():
        args = ["bash", script] + ([RELEASE] if group == "lint" else []) + (["--long"] if long else [])
        if group == "fuzz" and not long:
            args += ["--seconds", str(fuzz_seconds(explicit))]
        reader = read_lint if group == "lint" else read_lines
        jobs.append((f"{group}/run", reader, args, env))
    return jobs


def read_lint(name, code, out):
    count = Count()
    print("\n".join(line for line in out.splitlines() if line.startswith("lint:")))
    if code == 0:
        count.passed = 1
    else:
        count.failed = [f"{name}: findings"]
    return count


def allowed_skips():
    lines = (TESTS / "skips.txt").read_text().splitlines()
    return dict(line.split(None, 1) for line in lines if line.strip() and not line.startswith("#"))


def judge_skips(total, long):
    """A skip counts as a failure unless skips.txt names it with a condition that holds here."""
    shared = pathlib.Path(os.environ.get("ASSAY_SHARED", str(ROOT.parent / "shared"))).exists()
    allowed = allowed_skips()
    for skip in total.skipped:
        condition = allowed.get(skip, "")
        if not condition or (condition.startswith("no-shared") and shared) or (condition.startswith("short") and long):
            total.failed.append(f"{skip}: skipped without leave (tests/skips.txt)")


def main():
    begun = time.monotonic()
    long, named, flags = read_arguments(sys.argv[1:])
    if flags and (len(named) != 1 or not (TESTS / named[0] / "run").exists()):
        print(f"tests/run: flags like {flags[0]} go with one group that has a tests/GROUP/run", file=sys.stderr)
        return 2
    for group in named:
        if group not in GROUPS or not exists(group):
            print(f"tests/run: no group '{group}' (there are: {' '.join(g for g in GROUPS if exists(g))})", file=sys.stderr)
            return 2
    groups = [g for g in GROUPS if g in named] or [g for g in GROUPS if exists(g)]
    build(RELEASE, lambda name: not name.startswith(("unit_", "property_", "fuzz_")), "-DCMAKE_BUILD_TYPE=Release", "-DSANITIZE=")
    if SANITISED_TOO & set(groups):
        build(SANITISED, lambda name: True, "-DCMAKE_BUILD_TYPE=Debug", "-DSANITIZE=address,undefined")
    if "unit" in groups:
        build(THREADS, THREADED.match, "-DCMAKE_BUILD_TYPE=Debug", "-DSANITIZE=thread")
    total = Count()
    for group in groups:
        started = time.monotonic()
        count = run_jobs(script_jobs(group, flags) if flags else group_jobs(group, long, group in named), 1 if group in ALONE else JOBS,
                         86400 if long or flags else 1800)
        if count.passed + len(count.failed) + len(count.skipped) == 0:
            count.failed.append(f"{group}: ran no test")
        total.add(count)
        print(f"== {group}: {count.passed} passed, {len(count.failed)} failed, {len(count.skipped)} skipped, "
              f"{time.monotonic() - started:.0f} s", flush=True)
    judge_skips(total, long)
    for skip in total.skipped:
        print(f"SKIPPED {skip}  {allowed_skips().get(skip, '')}")
    if total.figures:
        print("== figures\n" + "\n".join("   " + figure for figure in total.figures))
    for failure in total.failed:
        print(f"FAILED {failure}")
    print(f"== tests: {time.monotonic() - begun:.0f} s")
    print(f"{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped")
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
