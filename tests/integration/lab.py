"""An installation of Assay for one test, on real parts: its own ASSAY_HOME, PostgreSQL, coordinator, workers, endpoint.

What a Lab starts it ends, by process id, whatever becomes of the test: a guard process beside it waits for the end of a
pipe and cleans up when the test itself was killed. Binaries come from ASSAY_BUILD (default build/).
"""
import collections
import contextlib
import ctypes
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ASSAY_BUILD") or ROOT / "build").absolute()
SHARED = pathlib.Path(os.environ.get("ASSAY_SHARED") or ROOT.parent / "shared").absolute()
PSQL = "psql"

Result = collections.namedtuple("Result", "code out err seconds")


def clean_environment(**more):
    """The environment without what would steer the commands: ASSAY_* and keys of providers."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_") and not k.endswith("_API_KEY")}
    env.update({"LC_ALL": "C.UTF-8", **{k: str(v) for k, v in more.items()}})
    return env


def die_with_test():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def start_ticks(pid):
    """When the process began, in ticks since boot; None when it is not there or only a zombie."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    return None if fields[0] == "Z" else int(fields[19])


class Process:
    """One process as status --json names it: "PID START BOOT"."""

    def __init__(self, text):
        pid, start, _ = text.split()
        self.pid, self.start = int(pid), int(start)

    def alive(self):
        return start_ticks(self.pid) == self.start

    def kill(self, number=signal.SIGKILL):
        if not self.alive():
            return False
        fd = os.pidfd_open(self.pid)
        try:
            if self.alive():
                signal.pidfd_send_signal(fd, number)
                return True
            return False
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)


def wait_until(condition, seconds, what, each=0.02):
    """Asks until it holds; never sleeps a fixed time in the hope that something happened."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(each)


class Endpoint:
    """tests/endpoint: an OpenAI-compatible server that counts every prompt."""

    def __init__(self, *flags):
        self.process = subprocess.Popen([BUILD / "tests/endpoint/endpoint", *map(str, flags)], stdout=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, text=True, preexec_fn=die_with_test)
        line = self.process.stdout.readline()
        if not line.startswith("listening "):
            raise AssertionError(f"the endpoint did not start: {line!r}")
        self.port = int(line.split()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def stats(self):
        with urllib.request.urlopen(self.url + "/stats", timeout=10) as answer:
            return json.load(answer)

    def is_quiet(self):
        """No prompt came for half a second."""
        before, until = self.stats()["asked"], time.monotonic() + 0.5
        while time.monotonic() < until:
            if self.stats()["asked"] != before:
                return False
            time.sleep(0.05)
        return True

    def reset(self):
        urllib.request.urlopen(urllib.request.Request(self.url + "/reset", data=b"", method="POST"), timeout=10).close()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


class OwnWorker:
    """One assay-worker by hand: folder/NAME holds its worker.yaml, its key, its state and its log."""

    def __init__(self, lab, name, settings, flags):
        self.folder = lab.folder / name
        self.config = lab.write(f"{name}/worker.yaml", "schema: assay.worker.v1\n" + settings)
        public = subprocess.run([BUILD / "tests/integration/wire/wire_attack", "keygen", self.folder / "own.key"],
                                capture_output=True, text=True, check=True).stdout.strip()
        lab.assay("workers", "keys", "add", name, public)
        state = () if "--state" in flags else ("--state", self.folder / "state")
        self.arguments = [BUILD / "assay-worker", "--config", self.config, "--coordinator", lab.status()["endpoint"],
                          "--server-key", lab.home / "keys/coordinator.public", "--key", self.folder / "own.key", "--name",
                          name, *state, *flags]
        self.env = lab.env
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(list(map(str, self.arguments)), env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=die_with_test)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        """Its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def close(self):
        self.stop(signal.SIGKILL)


class Lab:
    def __init__(self, workers=2, env=None, home=None):
        self.workers = workers
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="assay-lab-", dir="/tmp"))
        self.home = pathlib.Path(home) if home else self.folder / "home"
        self.env = clean_environment(ASSAY_HOME=self.home, **(env or {}))
        self.endpoints, self.own_workers, self.closed = [], [], False
        self.guard = subprocess.Popen([sys.executable, __file__, "guard", self.home, self.folder, BUILD / "assay"],
                                      stdin=subprocess.PIPE, env=self.env, start_new_session=True)

    # ---- life ----

    def up(self, *flags, timeout=240):
        """Starts it, or attaches to what runs."""
        result = self.assay("up", "--workers", self.workers, *flags, timeout=timeout, ok=None)
        if result.code != 0:
            raise AssertionError(f"assay up: {result.code}\n{result.out}{result.err}{self.logs()}")
        return result

    def down(self):
        return self.assay("down", timeout=200)

    def close(self):
        """Safe to call twice."""
        if self.closed:
            return
        self.closed = True
        for process in self.endpoints + self.own_workers:
            process.close()
        try:
            subprocess.run([BUILD / "assay", "down"], env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=200, check=False)
            broken = self.broken()
        finally:
            clean_up(self.home, self.folder, BUILD / "assay", self.env)
            self.guard.stdin.close()
            self.guard.wait(240)
        if broken:
            raise AssertionError("a part of the installation broke:\n" + broken)

    def broken(self):
        """What no test may cause: a bug that stopped a program, a sanitizer's report, a crash. SIGKILL is the tests'."""
        found = []
        places = list((self.home / "logs").glob("*.log")) + [w.folder / "log" for w in self.own_workers]
        for path in places:
            text = path.read_text(errors="replace")
            marks = r"Sanitizer: |runtime error: |^bug: |signal (4|6|7|8|11) \("
            if re.search(marks, text, re.M) and path.stem != "postgres":
                at = re.search(marks, text, re.M).start()
                found.append(f"--- {path.name}\n{text[max(0, at - 1000):at + 6000]}")
        return "\n".join(found)

    def endpoint(self, *flags):
        e = Endpoint(*flags)
        self.endpoints.append(e)
        return e

    # ---- commands ----

    def assay(self, *args, ok=0, timeout=120, env=None, text_in=None, cwd=None):
        """Runs `assay ARGS`; `ok` is the exit status that must come (None: any)."""
        started = time.monotonic()
        full = {**self.env, **{k: str(v) for k, v in (env or {}).items()}}
        p = subprocess.run([BUILD / "assay", *map(str, args)], env=full, cwd=cwd or self.folder,
                           input=text_in if text_in is not None else "", capture_output=True, text=True,
                           errors="replace", timeout=timeout)
        result = Result(p.returncode, p.stdout, p.stderr, time.monotonic() - started)
        if ok is not None and p.returncode != ok:
            raise AssertionError(f"assay {' '.join(map(str, args))}: exit {p.returncode}, not {ok}\n"
                                 f"--- stdout\n{p.stdout}\n--- stderr\n{p.stderr}\n{self.logs()}")
        return result

    def json(self, *args, **kwargs):
        return json.loads(self.assay(*args, "--json", **kwargs).out)

    def status(self):
        return self.json("status")

    def process(self, name):
        return next(Process(p["id"]) for p in self.status()["processes"] if p["name"] == name)

    def supervise(self):
        return Process(self.status()["supervise"])

    def logs(self):
        parts = []
        for path in sorted((self.home / "logs").glob("*.log")) if (self.home / "logs").exists() else []:
            parts.append(f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-25:]))
        return "\n".join(parts)

    def log(self, name):
        path = self.home / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def own_worker(self, name, settings="", *flags):
        """A worker of one's own, as an operator starts it, with a worker.yaml of ours; waits until it is connected."""
        worker = OwnWorker(self, name, settings, flags)
        self.own_workers.append(worker)
        wait_until(lambda: any(w["name"] == name and w["state"] == "connected"
                               for w in self.json("workers", "list")["items"]), 20, f"worker {name} has connected")
        return worker

    # ---- the API and the database ----

    def get(self, path, token=True):
        request = urllib.request.Request(self.status()["url"] + path)
        if token:
            request.add_header("Authorization", "Bearer " + (self.home / "token").read_text().strip())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The sum over the series of a family of /metrics whose line begins with `name`."""
        total = 0.0
        for line in self.get("/metrics", token=False).splitlines():
            if re.match(re.escape(name) + ("" if name.endswith("}") else "[ {]"), line):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def sql(self, query, database=None):
        """Rows as lists of texts."""
        dsn = self.status()["dsn"]
        if database:
            dsn = re.sub(r"dbname=\S+", "dbname=" + database, dsn)
        p = subprocess.run([PSQL, "-X", "-A", "-t", "-q", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-c", query],
                           env=self.env, capture_output=True, text=True, timeout=120)
        if p.returncode != 0:
            raise AssertionError(f"psql: {p.stderr}\n{query}")
        return [line.split("\t") for line in p.stdout.splitlines() if line]

    def value(self, query):
        return self.sql(query)[0][0]

    # ---- suites, models, runs ----

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def write_suite(self, n, name="letters", right=0.7, strata=4, folder=None, **generate):
        """`n` items whose answer the endpoint is told in the prompt: the first `right` of each ten are right."""
        folder = folder or name
        settings = {"prompt": '"{{input}}"', "temperature": 0, "max_tokens": 8, **generate}
        lines = []
        for i in range(n):
            letter = "ABCDEFGH"[i % 8]
            said = letter if i % 10 < right * 10 else "ABCDEFGH"[(i + 1) % 8]
            lines.append(json.dumps({"id": f"q-{i:05}", "input": f"Question {i} of {name}: say [[{said}]].",
                                     "target": letter, "metadata": {"stratum": f"s{i % strata}"},
                                     "source": {"kind": "synthetic"}}))
        self.write(f"{folder}/items.jsonl", "\n".join(lines) + "\n")
        return self.write(f"{folder}/suite.yaml", "\n".join(
            ["schema: assay.suite.v1", f"name: {name}", f"task: tests.{name}", "items: [items.jsonl]", "generate:"] +
            [f"  {k}: {v}" for k, v in settings.items()] +
            ["scores:", "  - {name: correct, type: exact, normalize: [trim, casefold], chance: 0.125}", ""]))

    def add_model(self, name, base_url, model=None, key=None, concurrency=64, provider="openai", ok=0):
        lines = ["schema: assay.models.v1", "models:", f"  - name: {name}", f"    provider: {provider}",
                 f"    base_url: {base_url}", f"    model: {model or name}"]
        if key:
            lines.append(f"    key: {key}")
        lines += ["    params: {temperature: 0}", f"    limits: {{concurrency: {concurrency}}}", ""]
        return self.assay("models", "add", self.write(f"{name}.yaml", "\n".join(lines)), ok=ok)

    def run(self, suite, model, *flags, ok=0, timeout=180, env=None):
        """`assay run` to its end; the number of the run stands in the result's `run`."""
        result = self.assay("run", suite, "--model", model, *flags, ok=ok, timeout=timeout, env=env)
        found = re.search(r"\brun (\d+)\b", result.err)
        return result, int(found[1]) if found else None

    def start(self, suite, model, *flags):
        """`assay run --detach`; the number of the run."""
        return int(self.assay("run", suite, "--model", model, "--detach", *flags).out.split()[0])

    def run_json(self, run):
        return self.json("runs", "show", run)

    def run_state(self, run):
        """Its state, or None while nobody can say."""
        with contextlib.suppress(AssertionError, OSError, ValueError):
            return self.run_json(run)["state"]
        return None

    def wait_done(self, run, count, seconds=60):
        """Until so many samples have a row."""
        return wait_until(lambda: self.run_done(run) >= count, seconds, f"run {run}: {count} samples")

    def run_done(self, run):
        with contextlib.suppress(AssertionError, OSError, ValueError):
            return int(self.run_json(run)["progress"]["done"])
        return -1

    def recount(self, run):
        """What run_summary says and what the rows say, as text: equal, or the first that differs."""
        names = [r[0] for r in self.sql("SELECT column_name FROM information_schema.columns WHERE table_schema = "
                                        "'assay' AND table_name = 'run_summary' AND column_name NOT IN "
                                        "('run_id', 'scoring_no', 'slice_no', 'metric', 'team_id')")]
        columns = ", ".join(["slice_no", "metric"] + sorted(names))
        summary = self.sql(f"SELECT {columns} FROM assay.run_summary WHERE run_id = {run} AND scoring_no = 0 "
                           "ORDER BY 1, 2")
        rows = self.sql(f"SELECT {columns} FROM assay.run_recount({run}) ORDER BY 1, 2")
        return columns, summary, rows


def clean_up(home, folder, assay, env):
    """Stops the installation and removes its folders. Safe to call twice."""
    home, folder = pathlib.Path(home), pathlib.Path(folder)
    if home.exists():
        known = []
        with contextlib.suppress(OSError, ValueError, KeyError):
            status = json.loads((home / "status.json").read_text())
            known = [Process(text) for text in [status["supervise"]] + [p["id"] for p in status["processes"]]]
        for process in known:  # a test may have stopped it, and a stopped process takes no SIGTERM
            process.kill(signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run([assay, "down"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=200, check=False)
        for process in known:
            process.kill(signal.SIGKILL)
        for place in ("/run/assay-0/", "/var/lib/assay/") if os.getuid() == 0 else ():
            shutil.rmtree(place + home_id(home), ignore_errors=True)
    for place in (home, folder):
        shutil.rmtree(place, ignore_errors=True)


def home_id(home):
    """The name under which root's installations keep their database: a hash of the absolute path."""
    return hashlib.blake2b(os.path.realpath(home).encode(), digest_size=32).hexdigest()[:16]


class SmallDisk:
    """A tmpfs of its own for one test, which is skipped where none can be mounted."""

    def __init__(self, test, place, mib, options="mode=755"):
        self.place = pathlib.Path(place)
        self.place.mkdir(parents=True, exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,{options}", "tmpfs", str(place)],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            test.skipTest("no mount of a tmpfs here: " + mounted.stderr.strip())
        test.addCleanup(subprocess.run, ["umount", "-l", str(place)], check=True)
        self.ballast = self.place / "ballast"

    def fill(self):
        """To the last byte, also while others write."""
        with contextlib.suppress(OSError), open(self.ballast, "wb", buffering=0) as f:
            while True:
                f.write(b"x" * 65536)

    def make_room(self):
        self.ballast.unlink(missing_ok=True)


class LabCase(unittest.TestCase):
    """A test case with one Lab a class: `lab` is up before the first test."""

    workers, environment = 2, None
    endpoint_flags = ()

    @classmethod
    def setUpClass(cls):
        if not (BUILD / "assay").exists():
            raise AssertionError(f"{BUILD}/assay is not there: build first, or set ASSAY_BUILD")
        cls.lab = Lab(workers=cls.workers, env=cls.environment)
        cls.addClassCleanup(cls.lab.close)
        cls.lab.up()
        cls.endpoint = cls.lab.endpoint(*cls.endpoint_flags)


if __name__ == "__main__" and sys.argv[1:2] == ["guard"]:
    sys.stdin.buffer.read()  # until the test is gone
    clean_up(sys.argv[2], sys.argv[3], sys.argv[4], dict(os.environ))
