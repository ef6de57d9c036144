"""Stops in order in the middle of a run: `down` and `up`, SIGTERM, a database that is restarted or throws everybody out.

Nothing is lost, nothing is asked twice, nothing is counted as a death, and the run goes on by itself."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import LabCase, wait_until  # noqa: E402

N = 1200


class Orderly(LabCase):
    endpoint_flags = ("--latency-ms", 50, "--sigma", 0.5)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.add_model("m", cls.endpoint.url + "/v1", concurrency=32)

    def setUp(self):
        self.lab.up()

    def start(self, name):
        self.lab.assay("suite", "push", self.lab.write_suite(N, name=name))
        self.endpoint.reset()
        run = self.lab.start(name, "m")
        self.lab.wait_done(run, N // 4)
        self.assertLess(self.lab.run_done(run), N * 0.9, "too fast: the stop would come after the end")
        return run

    def check_whole(self, run):
        lab = self.lab
        lab.assay("runs", "watch", run, timeout=150)
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run} AND outcome = 1"), str(N))
        stats = self.endpoint.stats()
        self.assertEqual((stats["prompts"], stats["paid"], stats["twice"]), (N, N, 0))
        paid = lab.run_json(run)["paid_twice"]
        self.assertEqual((paid["count"], paid["at_most_more"]), (0, 0))
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.attempt WHERE run_id = {run}"), "0")
        columns, summary, rows = lab.recount(run)
        self.assertEqual(summary, rows, columns)

    def restarts(self, name):
        return next(p["restarts"] for p in self.lab.status()["processes"] if p["name"] == name)

    def test_down_and_up(self):
        run = self.start("down")
        self.lab.down()
        asked = self.endpoint.stats()
        self.assertEqual(asked["in_flight"], 0)
        self.assertLess(asked["prompts"], N)
        self.lab.up()
        self.check_whole(run)

    def test_sigterm_to_the_coordinator(self):
        run = self.start("coordinator")
        before = self.restarts("coordinator")
        self.assertTrue(self.lab.process("coordinator").kill(signal.SIGTERM))
        wait_until(lambda: self.restarts("coordinator") > before, 60, "the coordinator was started again")
        self.check_whole(run)

    def test_sigterm_to_each_worker_in_turn(self):
        run = self.start("workers")
        for name in ("worker-1", "worker-2"):
            before = self.restarts(name)
            self.assertTrue(self.lab.process(name).kill(signal.SIGTERM))
            wait_until(lambda: self.restarts(name) > before, 60, f"{name} was started again")
        self.check_whole(run)

    def test_a_database_that_is_restarted_and_throws_everybody_out(self):
        run = self.start("database")
        throw_out = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'assay'"
        self.assertGreater(int(self.lab.value(throw_out)), 2)
        self.lab.wait_done(run, N // 3)
        self.assertGreater(int(self.lab.value(throw_out)), 2)
        before = self.restarts("postgres")
        self.assertTrue(self.lab.process("postgres").kill(signal.SIGINT))  # a fast shutdown
        wait_until(lambda: self.restarts("postgres") > before, 60, "PostgreSQL was started again")
        self.check_whole(run)


if __name__ == "__main__":
    unittest.main()
