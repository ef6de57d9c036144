"""Two coordinators and their workers by hand, on the PostgreSQL of an embedded installation.

`assay up` makes keys, token and database; then its supervise is stopped (so that it starts nothing again), its other
processes are ended, and the test's own take their place: coordinators "one" and "two" (with --standby), each worker
with both endpoints. The command line is told both URLs. Everything is ended by id.
"""
import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, Lab, die_with_test, wait_until  # noqa: E402


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Part:
    """One process of ours."""

    def __init__(self, pair, name, argv):
        self.name, self.pair, self.argv = name, pair, [str(a) for a in argv]
        self.process = None
        self.start()

    def start(self):
        with open(self.pair.lab.home / "logs" / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(self.argv, env=self.pair.lab.env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=die_with_test)

    def log(self):
        return self.pair.lab.log(self.name)

    def wait_log(self, pattern, seconds=20, count=1):
        wait_until(lambda: len(re.findall(pattern, self.log())) >= count, seconds, f"{self.name}: '{pattern}'")

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)  # Popen looks first whether it is still that process
        if number == signal.SIGKILL:
            self.process.wait(20)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(20)


class Coordinator(Part):
    def __init__(self, pair, name, *flags, dsn=None):
        self.fleet, self.http = free_port(), free_port()
        self.endpoint, self.url = f"tcp://127.0.0.1:{self.fleet}", f"http://127.0.0.1:{self.http}"
        home = pair.lab.home
        super().__init__(pair, name, [
            BUILD / "assay-coordinator", "--dsn", dsn or pair.dsn, "--listen", self.endpoint, "--http",
            f"127.0.0.1:{self.http}", "--key", home / "keys/coordinator", "--allowed", home / "keys/allowed",
            "--token-file", home / "token", *flags])

    def open(self, path):
        """Status and text of a GET with the token, whatever the status is."""
        request = urllib.request.Request(self.url + path)
        request.add_header("Authorization", "Bearer " + (self.pair.lab.home / "token").read_text().strip())
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metric(self, name):
        """The value of a metric without labels; 0 while nobody answers."""
        with contextlib.suppress(OSError):
            found = re.search(rf"^{name} (\S+)$", self.open("/metrics")[1], re.M)
            return float(found[1]) if found else 0.0
        return 0.0

    def wait_leading(self, seconds=20, count=1):
        self.wait_log("msg=leading", seconds, count)


class Pair:
    def __init__(self, workers=2, dsn_of_one=None, dsn_of_both=None):
        self.lab = Lab(workers=workers)
        self.parts, self.coordinators, self.workers = [], [], []
        try:
            self.lab.up()
            self.dsn = self.lab.status()["dsn"]
            self.supervise = self.lab.supervise()
            self.supervise.kill(signal.SIGSTOP)
            for name in [f"worker-{i + 1}" for i in range(workers)]:
                self.lab.process(name).kill()
            theirs = self.lab.process("coordinator")
            theirs.kill(signal.SIGTERM)  # in order: ours need not wait for its beat to grow old
            wait_until(lambda: not theirs.alive(), 20, "the coordinator of `up` has left")
            self.dsn = dsn_of_both(self) if dsn_of_both else self.dsn
            self.one = self.coordinator("one", dsn=dsn_of_one(self) if dsn_of_one else None)
            self.one.wait_leading()
            self.two = self.coordinator("two", "--standby")
            self.two.wait_log("standing by")
            self.lab.env["ASSAY_TOKEN_FILE"] = str(self.lab.home / "token")
            self.lab.env["ASSAY_URL"] = f"{self.one.url},{self.two.url}"
        except BaseException:
            self.close()
            raise

    def coordinator(self, name, *flags, dsn=None):
        c = Coordinator(self, name, *flags, dsn=dsn)
        self.parts.append(c)
        self.coordinators.append(c)
        return c

    def worker(self, number, endpoints=None):
        """Number 1 to `workers`: the keys and settings that `assay up` made for it."""
        home, name = self.lab.home, f"worker-{number}"
        argv = [BUILD / "assay-worker", "--config", home / name / "worker.yaml", "--state", home / name,
                "--server-key", home / "keys/coordinator.public", "--key", home / "keys" / name, "--name", name,
                "--log", "debug"]
        for endpoint in endpoints or [c.endpoint for c in self.coordinators]:
            argv += ["--coordinator", endpoint]
        w = Part(self, f"by-hand-{number}", argv)
        self.parts.append(w)
        self.workers.append(w)
        return w

    def wait_workers(self, coordinator, count, seconds=20):
        wait_until(lambda: coordinator.log().count("worker joined") >= count, seconds,
                   f"{count} workers with {coordinator.name}")

    def first_lease_s(self, coordinator, since, seconds=15):
        """Seconds from `since` (monotonic) until this coordinator has lent something."""
        wait_until(lambda: coordinator.metric("assay_samples_leased_total") > 0, seconds,
                   f"the first lease of {coordinator.name}\n{coordinator.log()}", each=0.01)
        return time.monotonic() - since

    def close(self):
        for part in self.parts:
            part.end()
        for name in ("ASSAY_URL", "ASSAY_TOKEN_FILE"):
            self.lab.env.pop(name, None)
        if hasattr(self, "supervise"):
            self.supervise.kill(signal.SIGCONT)
        self.lab.close()


class Replica:
    """A PostgreSQL that follows the installation's, asynchronously; by the account that owns its data."""

    def __init__(self, lab):
        dsn = lab.status()["dsn"]
        self.lab, self.primary = lab, re.search(r"host=(\S+)", dsn)[1]
        self.owner, self.user = os.stat(self.primary), re.search(r"user=(\S+)", dsn)[1]
        self.bin = re.search(r"postgresql +(\S+)", lab.assay("doctor", ok=None).out)[1]
        self.folder = lab.folder / "replica"
        os.chmod(lab.folder, 0o755)
        self.folder.mkdir(mode=0o700)
        os.chown(self.folder, self.owner.st_uid, self.owner.st_gid)
        subprocess.run([f"{self.bin}/pg_basebackup", "-h", self.primary, "-U", self.user, "-D", self.folder / "data", "-R",
                        "-c", "fast"], check=True, preexec_fn=self.become, env=lab.env, cwd="/")
        self.dsn = dsn.replace(f"host={self.primary}", f"host={self.folder}")
        with open(lab.home / "logs/replica.txt", "wb") as log:
            self.process = subprocess.Popen([f"{self.bin}/postgres", "-D", self.folder / "data", "-c", "listen_addresses=",
                                             "-c", f"unix_socket_directories={self.folder}"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=self.become, env=lab.env, cwd="/")
        wait_until(lambda: self.asked("SELECT count(*) FROM pg_stat_wal_receiver") == "1", 30, "the replica follows")

    def become(self):
        if os.getuid() != self.owner.st_uid:
            os.setgid(self.owner.st_gid)
            os.setuid(self.owner.st_uid)
        die_with_test()

    def asked(self, query):
        p = subprocess.run(["psql", "-XAtq", "-d", self.dsn, "-c", query], env=self.lab.env, capture_output=True, text=True,
                           timeout=60)
        return p.stdout.strip()

    def fall_behind(self):
        """What the primary commits from now on does not arrive."""
        self.asked("ALTER SYSTEM SET primary_conninfo = ''")
        self.asked("SELECT pg_reload_conf()")
        wait_until(lambda: self.asked("SELECT count(*) FROM pg_stat_wal_receiver") == "0", 20, "the replica lags")

    def promote(self):
        self.asked("SELECT pg_promote()")
        status = self.lab.status()
        self.lab.status = lambda: {**status, "dsn": self.dsn}

    def close(self):
        if "status" in vars(self.lab):
            del self.lab.status
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


class Cable:
    """A unix socket that leads to the server's, and can be cut."""

    def __init__(self, folder, server_socket):
        self.folder, self.server, self.open, self.pairs = folder, server_socket, True, []
        folder.mkdir()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / ".s.PGSQL.5432"))
        self.listener.listen(64)
        self.lock = threading.Lock()  # over `pairs` and `open`
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                with self.lock:
                    if not self.open:
                        here.close()
                        continue
                    there = socket.socket(socket.AF_UNIX)
                    there.connect(self.server)
                    self.pairs.append((here, there))
                threading.Thread(target=self.carry, args=(here, there), daemon=True).start()

    @staticmethod
    def carry(here, there):
        other = {here: there, there: here}
        with here, there, contextlib.suppress(OSError, ValueError):
            while True:
                for s in select.select([here, there], [], [])[0]:
                    data = s.recv(1 << 16)
                    if not data:
                        return
                    other[s].sendall(data)

    def set(self, is_open):
        with self.lock:
            self.open = is_open
            for s in [s for pair in self.pairs for s in pair] if not is_open else []:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)
            self.pairs = [] if not is_open else self.pairs

    def close(self):
        self.set(False)
        self.listener.close()
