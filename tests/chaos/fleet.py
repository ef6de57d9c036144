"""A whole installation under a test's hands: PostgreSQL, two coordinators, workers, the endpoint, and the wire between.

Each part has a namespace of its own where that is allowed; parts that end are started again by `step()`, which every
wait calls, as systemd or Kubernetes would. Nothing here judges: see judge.py. One thread.
"""
import collections
import contextlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
import machine  # noqa: E402
from lab import BUILD, Endpoint, clean_environment  # noqa: E402

PG_BIN = next((p for p in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
HUB = "10.77.0.1"
RESTART_S = 0.3
DATABASE_MB, STATE_MB = 900, 96
PACE_S = 0.2  # between two looks at the endpoint's counts


class Away(Exception):
    """The database does not answer."""


class Part:
    """A process that is started again when it ends, unless it is held down."""

    def __init__(self, fleet, name, address, namespace=None, user=None):
        self.fleet, self.name, self.address, self.namespace, self.user = fleet, name, address, namespace, user
        self.argv, self.env, self.process = [], fleet.env, None
        self.held, self.restart_at = False, 0.0
        self.log_path = fleet.folder / "logs" / f"{name}.log"
        self.endings = []  # what waitpid said of each life
        self.lives = 0

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(a) for a in self.argv], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.env, cwd="/",
                                            preexec_fn=machine.become(self.namespace, self.user))
        self.lives += 1

    def step(self):
        if self.process and self.process.poll() is not None:
            self.endings.append(self.process.returncode)
            self.process = None
            self.restart_at = max(self.restart_at, time.monotonic() + RESTART_S)
        if not self.process and not self.held and self.argv and time.monotonic() >= self.restart_at:
            self.start()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.process.pid, number)  # ours and not yet waited for: the number can be nobody else's

    def family(self):
        """Its process and the children of it."""
        if not self.alive():
            return []
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        try:
            return [self.process.pid] + [int(p) for p in pathlib.Path(path).read_text().split()]
        except OSError:
            return [self.process.pid]

    def rss_kb(self):
        try:
            for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        except (OSError, AttributeError):
            pass
        return 0

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Sql:
    """A psql that stays; asked again from anew when it does not answer in time."""

    def __init__(self, arguments, env):
        self.arguments, self.env, self.process = arguments, env, None

    def ask(self, query, seconds=20.0):
        if not self.process:
            self.process = subprocess.Popen(
                [PG_BIN / "psql", "-X", "-A", "-t", "-q", "-F", "\t", "-v", "ON_ERROR_STOP=1", *self.arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.env,
                preexec_fn=machine.become())
        out, mark = b"", b"--asked--\n"
        try:
            self.process.stdin.write(f"{query.rstrip().rstrip(';')};\n\\echo {mark.decode()}".encode())
            self.process.stdin.flush()
            until = time.monotonic() + seconds
            while not out.endswith(mark):
                ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, until - time.monotonic()))
                data = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
                if not data:
                    raise Away(out.decode(errors="replace") or f"no answer in {seconds} s")
                out += data
        except (Away, OSError) as e:
            self.close()
            raise Away(str(e) + ": " + query[:200]) from None
        text = out[:-len(mark)].decode(errors="replace")
        return [line.split("\t") for line in text.splitlines() if line]

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            with contextlib.suppress(OSError):  # what it no longer took
                self.process.stdin.close()
            self.process = None


class Fleet:
    def __init__(self, folder, seed, missing, workers=3, slots=32, endpoint_flags=(), clocks=()):
        """`clocks`: names of parts whose wall clock the test may shift."""
        self.folder, self.missing, self.slots = pathlib.Path(folder), missing, slots
        self.random, self.seed = random.Random(seed), seed
        self.env = clean_environment(ASSAY_HOME=self.folder / "home")
        self.netted = "net" not in missing
        for name in ("logs", "keys", "home"):
            (self.folder / name).mkdir(parents=True)
        os.chmod(self.folder, 0o755)
        self.parts, self.disks, self.clocks = {}, {}, {}
        self.namespaces = []
        self.wire = None
        self.workers = [f"w{i + 1}" for i in range(workers)]
        for i, name in enumerate(["db", "c1", "c2", *self.workers]):
            namespace = machine.net_namespace() if self.netted else None
            self.parts[name] = Part(self, name, f"10.77.0.{10 + i}" if self.netted else "127.0.0.1", namespace)
        if self.netted:
            self.start_wire()
        self.endpoint = Endpoint("--listen", "0.0.0.0", "--seed", seed % 2**31, *endpoint_flags)
        self.looks = collections.deque(maxlen=2000)  # (time, counts of the endpoint)
        self.marked = {"clocks": set(clocks) if "clock" not in missing else set()}
        self.base_url = f"http://{HUB if self.netted else '127.0.0.1'}:{self.endpoint.port}/v1"
        self.sql_client = None

    # ---- start ----

    def start_wire(self):
        own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        places = [["hub", HUB, own]] + [[p.name, p.address, p.namespace] for p in self.parts.values()]
        self.wire = subprocess.Popen([sys.executable, HERE / "wire.py", str(self.seed), json.dumps(places)],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[p[2] for p in places],
                                     preexec_fn=machine.become())
        if self.wire.stdout.readline() != b"ready\n":
            raise AssertionError("the wire did not start")
        os.close(own)

    def start_database(self):
        part = self.parts["db"]
        part.user = machine.database_user()
        place = self.folder / "db"
        place.mkdir()
        if "mount" not in self.missing and machine.small_disk(place, DATABASE_MB, part.user):
            self.disks["db"] = place
        if part.user:
            os.chown(place, part.user.pw_uid, part.user.pw_gid)
        data = place / "data"
        subprocess.run([PG_BIN / "initdb", "-D", data, "-U", "assay", "--auth=trust", "--encoding=UTF8",
                        "--locale=C.UTF-8", "--no-sync"], check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"},
                       preexec_fn=machine.become(None, part.user), cwd="/")
        with open(data / "pg_hba.conf", "a", encoding="ascii") as hba:
            hba.write("host all all 10.77.0.0/24 trust\n")
        self.pg_port = free_port()
        part.argv = [PG_BIN / "postgres", "-D", data, "-p", self.pg_port, "-c", f"listen_addresses={part.address}", "-c",
                     f"unix_socket_directories={place}", "-c", "max_connections=80", "-c", "shared_buffers=64MB", "-c",
                     "max_wal_size=192MB", "-c", "min_wal_size=64MB", "-c", "log_min_messages=warning", "-c",
                     "log_line_prefix=%m [%p] %a "]
        part.env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        part.start()
        self.sql_client = Sql(["-h", str(place), "-p", str(self.pg_port), "-U", "assay", "-d", "assay"], self.env)
        admin = Sql(["-h", str(place), "-p", str(self.pg_port), "-U", "assay", "-d", "postgres"], self.env)
        self.wait(lambda: self.answers(admin), 60, "PostgreSQL answers")
        admin.ask("CREATE DATABASE assay")
        admin.close()

    @staticmethod
    def answers(client):
        try:
            return client.ask("SELECT 1", 2) == [["1"]]
        except Away:
            return False

    def make_keys(self):
        allowed = []
        for name in ["coordinator", *self.workers]:
            public, secret = machine.key_pair()
            path = self.folder / "keys" / name
            path.write_text(f"assay key pair 1\npublic {public}\nsecret {secret}\n")
            os.chmod(path, 0o600)
            if name == "coordinator":
                (self.folder / "keys" / "coordinator.public").write_text(public)
            else:
                allowed.append(f"{name} {public}\n")
        for name, text in (("allowed", "".join(allowed)), ("token", "assay_0123456789abcdefghijklmnopqrstuvwxyz\n")):
            (self.folder / "keys" / name).write_text(text)
            os.chmod(self.folder / "keys" / name, 0o600)

    def prepare(self):
        """What each coordinator and worker is started with."""
        keys, db = self.folder / "keys", self.parts["db"]
        self.ports = {name: (free_port(), free_port()) for name in ("c1", "c2")}
        help_text = subprocess.run([BUILD / "assay-coordinator", "--help"], capture_output=True, text=True, check=True).stdout
        for name in ("c1", "c2"):
            part, (fleet_port, http_port) = self.parts[name], self.ports[name]
            part.argv = [BUILD / "assay-coordinator", "--dsn",
                         f"host={db.address} port={self.pg_port} user=assay dbname=assay", "--listen",
                         f"tcp://{part.address}:{fleet_port}", "--http", f"{part.address}:{http_port}", "--key",
                         keys / "coordinator", "--allowed", keys / "allowed", "--token-file", keys / "token"]
            if name == "c2" and "--standby" in help_text:
                part.argv.append("--standby")
        endpoints = ",".join(f"tcp://{self.parts[c].address}:{self.ports[c][0]}" for c in ("c1", "c2"))
        for name in self.workers:
            part, state = self.parts[name], self.folder / name
            state.mkdir()
            if "mount" not in self.missing and machine.small_disk(state, STATE_MB):
                self.disks[name] = state
            config = self.folder / f"{name}.yaml"
            config.write_text('schema: assay.worker.v1\nallowed_hosts: ["*"]\nallow_private: true\n')
            os.chmod(config, 0o600)
            part.argv = [BUILD / "assay-worker", "--config", config, "--state", state / "state", "--coordinator", endpoints,
                         "--server-key", keys / "coordinator.public", "--key", keys / name, "--name", name, "--slots",
                         self.slots, "--drain-timeout", "10s"]
        for name in self.marked["clocks"]:
            path = self.folder / f"clock-{name}"
            path.write_text("+0\n")
            self.clocks[name] = path
            self.parts[name].env = {**self.env, "LD_PRELOAD": machine.faketime(), "FAKETIME_TIMESTAMP_FILE": str(path),
                                    "FAKETIME_CACHE_DURATION": "1", "DONT_FAKE_MONOTONIC": "1",
                                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def start(self):
        self.make_keys()
        self.start_database()
        self.prepare()
        self.wait(self.whole, 60, "one leads and all workers have come")

    # ---- looking ----

    def step(self):
        for part in self.parts.values():
            part.step()
        if not self.looks or time.monotonic() - self.looks[-1][0] >= PACE_S:
            self.looks.append((time.monotonic(), self.endpoint.stats()))

    def wait(self, condition, seconds, what, each=0.02):
        until = time.monotonic() + seconds
        while True:
            self.step()
            value = condition()
            if value:
                return value
            if time.monotonic() > until:
                raise AssertionError(f"{what}: not within {seconds} s\n{self.tails()}")
            time.sleep(each)

    def rest(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.step()
            time.sleep(0.02)

    def sql(self, query, seconds=60.0):
        return self.sql_client.ask(query, seconds)

    def leader(self):
        """The name of the part whose term is in force, as the database has it, or None."""
        try:
            rows = self.sql("SELECT url FROM assay.leader_beat JOIN assay.leader USING (term) WHERE NOT stepped_down", 2)
        except Away:
            return None
        for name, (_, http_port) in getattr(self, "ports", {}).items():
            if rows and rows[0][0] == f"http://{self.parts[name].address}:{http_port}":
                return name
        return None

    def whole(self):
        """A leader whose beat goes on, and every worker is with it."""
        try:
            rows = self.sql("SELECT extract(epoch FROM clock_timestamp() - b.seen_at) < 2.5, (SELECT count(*) FROM "
                            "assay.worker w WHERE NOT w.gone AND w.term = b.term) FROM assay.leader_beat b JOIN "
                            "assay.leader USING (term) WHERE NOT b.stepped_down", 2)
        except Away:
            return False
        return rows == [["t", str(len(self.workers))]]

    def stands_by(self):
        """Whether the coordinator that does not lead says that it stands by."""
        leader = self.leader()
        other = {"c1": "c2", "c2": "c1"}.get(leader)
        if not other or not self.parts[other].alive():
            return False
        url = f"http://{self.parts[other].address}:{self.ports[other][1]}/readyz"
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError as e:
            return b"standing by" in e.read()
        except OSError:
            pass
        return False

    def asked_now(self):
        """Prompts by worker; without namespaces nobody can tell them apart, and all have the sum."""
        counts = self.endpoint.stats()
        return {w: self.asked_of(counts, w if self.netted else None) for w in self.workers}

    def done(self):
        """Samples with a row, or None while nobody can say."""
        try:
            return int(self.sql("SELECT coalesce(sum(n), 0) FROM assay.run_summary WHERE slice_no = 0 AND metric = -1 "
                                "AND scoring_no = 0", 2)[0][0])
        except Away:
            return None

    def asked(self, name, since, until=None):
        """Prompts that this worker sent between two times, from the looks that lie outside of them."""
        if not self.netted:
            name = None
        before = [c for t, c in self.looks if t <= since] or [self.looks[0][1]]
        after = [c for t, c in self.looks if until is None or t <= until] or [self.looks[0][1]]
        return self.asked_of(after[-1], name) - self.asked_of(before[-1], name)

    def asked_of(self, counts, name):
        return counts["peers"].get(self.parts[name].address, {"asked": 0})["asked"] if name else counts["asked"]

    def tails(self, lines=12):
        return "\n".join(f"--- {p.name}\n" + "\n".join(p.log().splitlines()[-lines:]) for p in self.parts.values())

    # ---- doing ----

    def rule(self, source, target, kind, value):
        self.wire.stdin.write(f"{source} {target} {kind} {value}\n".encode())
        self.wire.stdin.flush()

    def link(self, name, state):
        """The device of a namespace, as `ip link set down` does it: its own calls fail at once."""
        subprocess.run(["nsenter", f"--net=/proc/self/fd/{self.parts[name].namespace}", "ip", "link", "set", "wire0", state],
                       check=True, pass_fds=[self.parts[name].namespace])

    def latency(self, ms):
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint.url}/latency/{ms:.1f}", data=b"", method="POST"),
                               timeout=10).close()

    def assay(self, *args, seconds=90):
        """`assay ARGS` against whoever leads; asked again while nobody does."""
        until = time.monotonic() + seconds
        while True:
            name = self.leader() or "c1"
            env = {**self.env, "ASSAY_URL": f"http://{self.parts[name].address}:{self.ports[name][1]}",
                   "ASSAY_TOKEN_FILE": str(self.folder / "keys" / "token")}
            done = subprocess.run([BUILD / "assay", *map(str, args)], env=env, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, check=False, timeout=seconds, cwd=self.folder)
            if done.returncode == 0:
                return done.stdout
            if time.monotonic() > until:
                raise AssertionError(f"assay {args}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.tails()}")
            self.rest(0.3)

    def add_model(self, name, concurrency):
        path = self.folder / f"{name}.models.yaml"
        path.write_text(f"schema: assay.models.v1\nmodels:\n  - name: {name}\n    provider: openai\n    base_url: "
                        f"{self.base_url}\n    model: {name}\n    params: {{temperature: 0}}\n"
                        f"    limits: {{concurrency: {concurrency}}}\n")
        self.assay("models", "add", path)

    def push_suite(self, name, n):
        """Items whose answer the endpoint is told in the prompt; seven of ten are right."""
        place = self.folder / name
        place.mkdir()
        with open(place / "items.jsonl", "w", encoding="ascii") as out:
            for i in range(n):
                right = "ABCDEFGH"[i % 8]
                said = right if i % 10 < 7 else "ABCDEFGH"[(i + 1) % 8]
                out.write(json.dumps({"id": f"q-{i:06}", "input": f"Question {i} of {name}: say [[{said}]].",
                                      "target": right, "metadata": {"stratum": f"s{i % 4}"},
                                      "source": {"kind": "synthetic"}}) + "\n")
        (place / "suite.yaml").write_text(
            f"schema: assay.suite.v1\nname: {name}\ntask: tests.{name}\nitems: [items.jsonl]\ngenerate:\n"
            "  prompt: \"{{input}}\"\n  temperature: 0\n  max_tokens: 8\nscores:\n"
            "  - {name: correct, type: exact, normalize: [trim, casefold], chance: 0.125}\n")
        self.assay("suite", "push", place / "suite.yaml", seconds=600)

    # ---- end ----

    def close(self):
        if self.sql_client:
            self.sql_client.close()
        for part in self.parts.values():
            part.held = True
            for pid in reversed(part.family()):
                try:
                    os.kill(pid, signal.SIGCONT)
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass  # gone already
            if part.process:
                part.process.wait()
            if part.namespace is not None:
                os.close(part.namespace)
        self.endpoint.close()
        if self.wire:
            self.wire.stdin.close()
            self.wire.wait(10)
            self.wire.stdout.close()
        for place in self.disks.values():
            subprocess.run(["umount", "-l", place], check=False, capture_output=True)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
