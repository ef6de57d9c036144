"""What can happen to a fleet, drawn by a seed: each fault begins, lasts, is mended, and says what it may cost.

The allowance of a fault is how many prompts DESIGN.md 9 lets be asked twice because of it:
  - a worker that is killed: what was being asked, at most its slots;
  - a worker that is stopped or cut off for longer than a lease: what it had started, which is its slots, what it asked
    in the second before (answers that could no longer be told; when another fault was there first, which may have
    kept them from being stored, since a second before that one) and what it asked meanwhile;
  - the coordinator cut off from all workers: the same for each of them;
  - everything else: nothing.
"""
import os
import pathlib
import signal
import time

from fleet import Away

LEASE_S = 3.0


class Fault:
    needs = ()  # of machine.enter(): what must not be missing
    longest = (3.6, 5.0)  # longer than a lease
    target_kind = None

    def __init__(self, fleet, random):
        self.fleet, self.random = fleet, random
        self.seconds = random.uniform(*self.longest)
        self.part = None
        self.beside = None  # a fault that lasts already when this one begins
        self.began = self.mended = 0.0

    def choose(self):
        """The part it happens to, when it begins: who leads may have changed."""
        fleet = self.fleet
        if self.target_kind == "worker":
            return fleet.parts[self.random.choice(fleet.workers)]
        if self.target_kind in ("leader", "standby"):
            leader = fleet.leader() or self.random.choice(["c1", "c2"])
            return fleet.parts[leader if self.target_kind == "leader" else {"c1": "c2", "c2": "c1"}[leader]]
        return fleet.parts["db"]

    def begin(self):
        self.part = self.choose()
        self.began = time.monotonic()
        self.happen()

    def end(self):
        self.mend()
        self.mended = time.monotonic()

    def mend(self):
        pass

    def since(self):
        """What was asked from then on may not have been told when this began."""
        return (self.beside.began if self.beside else self.began) - 1.0

    def allowed_twice(self):
        return 0

    def text(self):
        return f"{self.name} {self.part.name if self.part else ''} {self.seconds:.1f} s"


# ---- signals ----

class Kill(Fault):
    """SIGKILL, and nobody starts it again for a while."""
    longest = (0.0, 6.0)
    number = signal.SIGKILL

    def happen(self):
        self.part.held = True
        self.part.signal(self.number)

    def mend(self):
        self.part.held = False

    def allowed_twice(self):
        return self.fleet.slots if self.target_kind == "worker" else 0


class KillWorker(Kill):
    name, target_kind = "kill worker", "worker"


class KillLeader(Kill):
    name, target_kind = "kill leader", "leader"


class KillStandby(Kill):
    name, target_kind = "kill standby", "standby"


class KillPostgres(Kill):
    name, longest = "kill postmaster", (0.0, 4.0)


class Term(Kill):
    number = signal.SIGTERM

    def mend(self):
        """It leaves by itself, and in order."""
        self.part.held = False

    def allowed_twice(self):
        return 0


class TermWorker(Term):
    name, target_kind = "term worker", "worker"


class TermLeader(Term):
    name, target_kind = "term leader", "leader"


class TermStandby(Term):
    name, target_kind = "term standby", "standby"


class TermPostgres(Term):
    """A smart shutdown waits for its clients, so a fast one follows, as an operator would do it."""
    name, longest = "term postmaster", (0.5, 3.0)

    def mend(self):
        self.part.signal(signal.SIGINT)
        self.part.held = False


class Stop(Fault):
    """SIGSTOP for longer than a lease, then SIGCONT."""
    stopped = ()

    def happen(self):
        self.stopped = self.pids()
        for pid in self.stopped:
            quiet_kill(pid, signal.SIGSTOP)

    def pids(self):
        return [self.part.process.pid] if self.part.alive() else []

    def mend(self):
        for pid in self.stopped:
            quiet_kill(pid, signal.SIGCONT)

    def allowed_twice(self):
        if self.target_kind != "worker":
            return 0
        return self.fleet.slots + self.fleet.asked(self.part.name, self.since(), self.began + 0.3)


class StopWorker(Stop):
    name, target_kind = "stop worker", "worker"


class StopLeader(Stop):
    name, target_kind = "stop leader", "leader"


class StopStandby(Stop):
    name, target_kind = "stop standby", "standby"


class StopPostgres(Stop):
    """The whole server: connections hang."""
    name = "stop postgres"

    def pids(self):
        return self.part.family()


# ---- single connections of the database ----

class Backend(Fault):
    longest = (0.0, 0.5)

    def pids(self):
        try:
            rows = self.fleet.sql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'assay/%' ORDER BY pid", 2)
        except Away:
            return []
        return [int(r[0]) for r in rows]


class KillBackend(Backend):
    """SIGKILL of one: PostgreSQL restarts them all and recovers."""
    name, number = "kill backend", signal.SIGKILL

    def happen(self):
        pids = self.pids()
        if pids:
            quiet_kill(self.random.choice(pids), self.number)


class TermBackend(KillBackend):
    name, number = "term backend", signal.SIGTERM


class StopBackend(Backend, Stop):
    name, longest = "stop backend", (3.6, 5.0)

    def pids(self):
        pids = Backend.pids(self)
        return [self.random.choice(pids)] if pids else []

    def allowed_twice(self):
        return 0


# ---- the wire ----

class Link(Fault):
    """Rules for packets: (from, to) pairs by name, drop or delay, and how much."""
    needs = ("net",)
    kind, value = "drop", 1.0
    target_kind = "worker"

    def pairs(self):
        worker = self.part.name
        return [p for c in ("c1", "c2") for p in ((worker, c), (c, worker))]

    def set(self, value):
        for source, target in self.pairs_set:
            self.fleet.rule(source, target, self.kind, value)

    def happen(self):
        self.pairs_set = self.pairs()
        self.set(self.value)

    def mend(self):
        self.set(0)

    def cut_off(self, *workers):
        now = self.mended or time.monotonic()
        return sum(self.fleet.slots + self.fleet.asked(w, self.since(), now + 0.5) for w in workers)

    def allowed_twice(self):
        return self.cut_off(self.part.name)


class CutWorker(Link):
    name = "cut worker"


class CutWorkerOut(Link):
    name = "cut worker, what it says"

    def pairs(self):
        return [(self.part.name, "c1"), (self.part.name, "c2")]


class CutWorkerIn(Link):
    name = "cut worker, what it hears"

    def pairs(self):
        return [("c1", self.part.name), ("c2", self.part.name)]


class LinkDown(Link):
    """The device itself: its own calls fail at once, to the model too."""
    name = "link of worker down"

    def happen(self):
        self.fleet.link(self.part.name, "down")

    def mend(self):
        self.fleet.link(self.part.name, "up")


class CutLeader(Link):
    """Away from every worker, but not from its database: it goes on leading nobody."""
    name, target_kind = "cut leader from workers", "leader"

    def pairs(self):
        return [p for w in self.fleet.workers for p in ((w, self.part.name), (self.part.name, w))]

    def allowed_twice(self):
        return self.cut_off(*self.fleet.workers)


class CutDatabase(Link):
    """The leader is away from its database, and the standby is not."""
    name, target_kind = "cut leader from database", "leader"

    def pairs(self):
        return [(self.part.name, "db"), ("db", self.part.name)]

    def allowed_twice(self):
        return 0


class CutDatabaseOut(CutDatabase):
    name = "cut leader from database, what it says"

    def pairs(self):
        return [(self.part.name, "db")]


class CutDatabaseIn(CutDatabase):
    name = "cut leader from database, what it hears"

    def pairs(self):
        return [("db", self.part.name)]


class SlowWorker(Link):
    name, kind, value = "200 ms to a worker", "delay", 200

    def pairs(self):
        return [("c1", self.part.name), ("c2", self.part.name)]

    def allowed_twice(self):
        return 0


class LossyWorker(Link):
    name, value = "5 % loss beside a worker", 0.05

    def allowed_twice(self):
        return 0


class SlowDatabase(CutDatabase):
    name, kind, value = "200 ms to the database", "delay", 200

    def pairs(self):
        return [("c1", "db"), ("c2", "db")]


class LossyDatabase(CutDatabase):
    name, value = "5 % loss beside the database", 0.05


# ---- disks and clocks ----

class Full(Fault):
    needs = ("mount",)
    longest = (3.0, 6.0)

    def happen(self):
        self.ballast = pathlib.Path(self.fleet.disks[self.part.name]) / "ballast"
        free = os.statvfs(self.ballast.parent)
        with open(self.ballast, "wb") as out:
            try:
                os.posix_fallocate(out.fileno(), 0, max(1, free.f_bavail * free.f_frsize))
            except OSError:
                pass  # somebody else took the rest meanwhile: full is full

    def mend(self):
        self.ballast.unlink(missing_ok=True)


class FullOutbox(Full):
    name, target_kind = "disk of an outbox full", "worker"


class FullDatabase(Full):
    name = "disk of the database full"


class Clock(Fault):
    """A step of the wall clock, back or forth, of a part that is set up for it."""
    needs = ("clock",)
    name = "wall clock step"
    longest = (2.0, 4.0)

    def choose(self):
        return self.fleet.parts[self.random.choice(sorted(self.fleet.clocks))]

    def happen(self):
        step = self.random.choice([-86400, -3600, -5, 5, 3600, 86400, 400 * 86400])
        self.fleet.clocks[self.part.name].write_text(f"{step:+d}\n")

    def mend(self):
        self.fleet.clocks[self.part.name].write_text("+0\n")


ALL = [KillWorker, KillLeader, KillStandby, KillPostgres, TermWorker, TermLeader, TermStandby, TermPostgres, StopWorker,
       StopLeader, StopStandby, StopPostgres, KillBackend, TermBackend, StopBackend, CutWorker, CutWorkerOut, CutWorkerIn,
       LinkDown, CutLeader, CutDatabase, CutDatabaseOut, CutDatabaseIn, SlowWorker, LossyWorker, SlowDatabase,
       LossyDatabase, FullOutbox, FullDatabase, Clock]


def possible(missing):
    return [f for f in ALL if not set(f.needs) & set(missing)]


def quiet_kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # gone meanwhile
