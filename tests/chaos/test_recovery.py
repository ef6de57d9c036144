"""How long it takes: worker dead to its samples asked again, PostgreSQL back to a commit, coordinator dead to a lease."""
import os
import signal
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import invariants  # noqa: E402
from fleet import Away  # noqa: E402
from judge import count  # noqa: E402
from scene import Scene  # noqa: E402

AGAIN = 3
LOST = "SELECT coalesce(sum(lost_open), 0) FROM assay.run_summary"


class WorkerDies(Scene):
    """The other worker has slots to spare: what is lent again is asked at once."""
    concurrency, items, endpoint_flags = 20, 3000, ("--latency-ms", 600)

    def test_what_a_dead_worker_was_asking_is_asked_again_within_four_seconds(self):
        fleet, took = self.fleet, []
        for _ in range(AGAIN):
            fleet.wait(lambda: fleet.whole() and fleet.endpoint.stats()["in_flight"] >= 38, 30, "both workers ask")
            victim, before = fleet.parts["w1"], fleet.endpoint.stats()["twice"]
            victim.held = True
            died = time.monotonic()
            victim.signal(signal.SIGKILL)
            took.append(self.within(lambda: fleet.endpoint.stats()["twice"] > before, died, 4.0,
                                    "what the dead worker was asking is asked again"))
            victim.held = False
            fleet.wait(lambda: fleet.whole() and count(fleet, LOST) == 0, 30, "it is back and has said all")
        self.say(f"{took} ms")
        self.finish(AGAIN * self.slots)


class DatabaseDies(Scene):
    items = 5000

    def test_rows_are_committed_within_three_seconds_after_the_database_accepts_connections(self):
        fleet, took = self.fleet, []
        for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
            database = fleet.parts["db"]
            database.held = True
            database.signal(number)
            fleet.wait(lambda: not database.alive(), 30, "PostgreSQL has ended")
            fleet.rest(0.5)
            database.held = False
            fleet.wait(self.accepts, 60, "PostgreSQL accepts connections", each=0.005)
            back, before = time.monotonic(), fleet.done()
            took.append(self.within(lambda: (fleet.done() or 0) > before, back, 3.0, "rows are committed"))
        self.say(f"{took} ms")
        self.finish(0)

    def accepts(self):
        try:
            return self.fleet.sql("SELECT 1", 1) == [["1"]]
        except Away:
            return False


class CoordinatorDies(Scene):
    """A run that is longer than what had been sent out: beyond that the new one may lend at once. (What lies below, and
    no worker says that it holds, waits three seconds more for their outboxes. The run of a million samples is in
    tests/integration/test_standby.py.)"""
    items, models, concurrency = 100000, 1, 64

    def leased(self, name):
        """Samples that this coordinator has lent in its life; 0 while it does not answer."""
        part, (_, port) = self.fleet.parts[name], self.fleet.ports[name]
        try:
            with urllib.request.urlopen(f"http://{part.address}:{port}/metrics", timeout=1) as answer:
                for line in answer.read().decode().splitlines():
                    if line.startswith("assay_samples_leased_total "):
                        return float(line.split()[1])
        except OSError:
            pass
        return 0

    def test_the_standby_lends_within_five_seconds_of_a_kill_and_leads_within_five_of_a_stop(self):
        fleet, took = self.fleet, []
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL):
            fleet.wait(lambda: fleet.whole() and fleet.stands_by(), 30, "one leads and one stands by")
            leader = fleet.leader()
            other = {"c1": "c2", "c2": "c1"}[leader]
            victim, pid = fleet.parts[leader], fleet.parts[leader].process.pid
            victim.held = True
            died = time.monotonic()
            os.kill(pid, number)
            if number == signal.SIGKILL:
                took.append(self.within(lambda: self.leased(other) > 0, died, 5.0, "the standby has lent samples"))
            else:  # workers may knock at the stopped one once more before they come
                leads = self.within(lambda: fleet.leader() == other, died, 5.0, "the standby leads")
                took.append((leads, self.within(lambda: self.leased(other) > 0, died, 8.0, "it has lent samples")))
                os.kill(pid, signal.SIGCONT)
                fleet.wait(lambda: not victim.alive(), 15, "the stopped one leaves when it wakes")
            victim.held = False
        self.say(f"kill, (stop: leads, lends), kill: {took} ms")
        self.assertEqual(fleet.endpoint.stats()["twice"], 0)
        self.assertEqual(fleet.sql("SELECT count(*) FROM assay.paid_twice"), [["0"]])
        self.assertEqual(invariants.violations(fleet.sql), [])


if __name__ == "__main__":
    unittest.main()
