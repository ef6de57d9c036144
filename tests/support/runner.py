"""Builds and runs the groups of tests/run and adds up what each test said of itself.

A test is a cmocka sentence, a Python unittest method, or a line `ok NAME` / `not ok NAME` / `skip NAME REASON` of a
group's own `tests/GROUP/run`. Two run at a time; the output of one that fails is shown whole.
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
GROUPS = ["lint", "unit", "property", "fuzz", "oracle", "integration", "bench"]
JOBS = os.cpu_count() or 2
RELEASE, SANITISED, THREADS = ROOT / "build", ROOT / "build-san", ROOT / "build-tsan"
# The threaded shells run once more under ThreadSanitizer.
THREADED = re.compile(r"unit_(io_test_(ring|log|zsock|secrets|metrics)|net_|link_|outbox_|fleet_)")


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def sh(args, env=None, timeout=3600):
    started = time.monotonic()
    try:
        p = subprocess.run([str(a) for a in args], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout, env={**os.environ, **(env or {})})
        return p.returncode, p.stdout, time.monotonic() - started
    except subprocess.TimeoutExpired as e:
        out = e.stdout or b""
        return 124, (out.decode(errors="replace") if isinstance(out, bytes) else out) + "\ntimed out\n", timeout


def build(folder, *options):
    started = time.monotonic()
    for args in (["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", *options], ["ninja", "-C", folder]):
        code, out, _ = sh(args)
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
        else:
            count.failed.append(label)
    if code != 0 and not count.failed:
        count.failed = [f"{name}: exit status {code}"]
    if code == 0 and count.passed + len(count.skipped) == 0:
        count.failed = [f"{name}: ran no test"]
    return count


def read_lines(name, code, out):
    count = Count()
    print("\n".join("   " + line for line in out.splitlines() if line.startswith('{"bench"')), end="\n" if '{"bench"' in out else "")
    count.passed = len(re.findall(r"^ok ", out, re.M))
    count.failed = [f"{name}: {t}" for t in re.findall(r"^not ok (.*)$", out, re.M)]
    count.skipped = [f"{name}:{t}" for t in re.findall(r"^skip (\S+)", out, re.M)]
    if code != 0 and not count.failed:
        count.failed = [f"{name}: exit status {code}"]
    if code == 0 and count.passed + len(count.skipped) == 0:
        count.failed = [f"{name}: ran no test"]
    return count


def executables(folder, label):
    code, out, _ = sh(["ctest", "--test-dir", folder, "-L", f"^{label}$", "--show-only=json-v1"])
    tests = json.loads(out[out.index("{"):])["tests"] if code == 0 and "{" in out else []
    return [(t["name"], t["command"]) for t in tests if "command" in t]


def run_jobs(jobs, parallel):
    """jobs: (name, reader, args, env). Shows what failed."""
    total = Count()

    def one(job):
        name, reader, args, env = job
        code, out, seconds = sh(args, env, timeout=1800)
        return name, out, seconds, reader(name, code, out)
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        for name, out, seconds, count in pool.map(one, jobs):
            total.add(count)
            if count.failed:
                print(f"---- {name}\n" + "\n".join(out.splitlines()[-120:]) + f"\n---- end of {name}", flush=True)
            elif seconds > 20:
                print(f"   {name}: {seconds:.0f} s", flush=True)
    return total


def group_jobs(group, long):
    jobs = []
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1",
           "TSAN_OPTIONS": f"suppressions={TESTS / 'support' / 'tsan.supp'}",
           "ASSAY_BUILD": str(RELEASE), "ASSAY_LONG": "1" if long else "",
           "ASSAY_SHARED": os.environ.get("ASSAY_SHARED", str(ROOT.parent / "shared"))}
    for name, command in executables(SANITISED, group):
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


def main():
    long = "--long" in sys.argv[1:]
    groups = [a for a in sys.argv[1:] if a != "--long"] or GROUPS
    unknown = [g for g in groups if g not in GROUPS]
    if unknown:
        print(f"tests/run: no group '{unknown[0]}' (there are: {' '.join(GROUPS)})", file=sys.stderr)
        return 2
    build(RELEASE, "-DCMAKE_BUILD_TYPE=Release", "-DSANITIZE=")
    if {"unit", "property", "integration", "oracle"} & set(groups):
        build(SANITISED, "-DCMAKE_BUILD_TYPE=Debug", "-DSANITIZE=address,undefined")
    if "unit" in groups:
        build(THREADS, "-DCMAKE_BUILD_TYPE=Debug", "-DSANITIZE=thread")
    total = Count()
    for group in groups:
        started = time.monotonic()
        # What measures or kills real processes runs alone.
        count = run_jobs(group_jobs(group, long), 1 if group in ("bench", "integration", "lint", "fuzz") else JOBS)
        if count.passed + len(count.failed) + len(count.skipped) == 0:
            count.failed.append(f"{group}: ran no test")
        total.add(count)
        print(f"== {group}: {count.passed} passed, {len(count.failed)} failed, {len(count.skipped)} skipped, "
              f"{time.monotonic() - started:.0f} s", flush=True)
    shared = pathlib.Path(os.environ.get("ASSAY_SHARED", str(ROOT.parent / "shared"))).exists()
    for skip in total.skipped:
        condition = allowed_skips().get(skip)
        if condition is None or (condition.startswith("no-shared") and shared):
            total.failed.append(f"{skip}: skipped without leave (tests/skips.txt)")
    for failure in total.failed:
        print(f"FAILED {failure}")
    print(f"{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped")
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
