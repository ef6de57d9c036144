"""kill -9 in the middle of a run: of a worker, of the coordinator, of PostgreSQL, and of all three."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import LabCase, wait_until  # noqa: E402

N, END_S = 2000, 120
UNSENT = 2


class Deaths(LabCase):
    endpoint_flags = ("--latency-ms", 60, "--sigma", 0.5, "--error-share", 0.02, "--rate-limit-share", 0.02)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.add_model("slow", cls.endpoint.url + "/v1", concurrency=48)

    def setUp(self):
        self.lab.up()  # whole again, whatever the test before did

    def start(self, name):
        """A run of a suite of its own, so that the endpoint's prompts are its alone; killed at about a third."""
        self.lab.assay("suite", "push", self.lab.write_suite(N, name=name))
        self.endpoint.reset()
        run = self.lab.start(name, "slow")
        self.lab.wait_done(run, N // 3)
        self.assertLess(self.lab.run_done(run), N * 0.9, "too fast: the kill would come after the end")
        return run

    def wait_end(self, run):
        wait_until(lambda: self.lab.run_state(run) not in ("queued", "running", None), END_S, f"the end of run {run}",
                   each=0.1)

    def waits(self, run):
        return [w["cause"] for w in self.lab.run_json(run)["waiting_for"]]

    def check_whole(self, run):
        """Every sample has one counted result, whatever died."""
        lab = self.lab
        shown = lab.run_json(run)
        self.assertEqual(shown["state"], "done", (shown, lab.logs()))
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run}"), str(N))
        self.assertEqual(lab.value(f"SELECT count(DISTINCT item_no) FROM assay.result WHERE run_id = {run}"), str(N))
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run} AND outcome = 1"), str(N))
        self.assertEqual(lab.value(f"SELECT round(sum(score)) FROM assay.result WHERE run_id = {run}"), str(N * 7 // 10))
        columns, summary, rows = lab.recount(run)
        self.assertEqual(summary, rows, columns)
        self.assertEqual(shown["progress"]["done"], N)
        self.assertEqual(self.endpoint.stats()["prompts"], N)
        return shown

    def twice(self):
        """Prompts that the endpoint was asked again for nothing, with those that it would have refused but whose
        asker died before it was told: nobody but the endpoint can know that they cost nothing."""
        stats = self.endpoint.stats()
        return stats["twice"] + stats["unheard"]

    def check_paid_twice(self, run, most):
        paid = self.lab.run_json(run)["paid_twice"]
        self.assertLessEqual(self.endpoint.stats()["twice"], most)
        self.assertEqual(paid["at_most_more"], 0, self.lab.logs())
        # An ask is on disk before its first byte leaves: one whose worker died between the two is counted, never asked.
        self.assertIn(paid["count"] - self.twice(), range(UNSENT + 1), self.lab.logs())
        print(f"\nfigure: kill -9, {self._testMethodName[5:].replace('_', ' ')}: {N} results, prompts asked twice "
              f"{self.twice()}, counted {paid['count']}", file=sys.stderr)

    def restarts(self, name):
        return next(p["restarts"] for p in self.lab.status()["processes"] if p["name"] == name)

    def wait_restarted(self, name, before):
        wait_until(lambda: self.restarts(name) > before and self.lab.process(name).alive(), 30,
                   f"{name} was started again")

    def test_a_worker_dies_and_stays_away_for_a_while(self):
        lab = self.lab
        run = self.start("worker")
        supervise, worker = lab.supervise(), lab.process("worker-1")
        before = self.restarts("worker-1")
        supervise.kill(signal.SIGSTOP)  # so that nobody starts it again
        try:
            in_flight = self.endpoint.stats()["in_flight"]
            self.assertGreater(in_flight, 0)
            self.assertTrue(worker.kill())
            self.wait_end(run)
            self.check_whole(run)
            twice, paid = self.twice(), lab.run_json(run)["paid_twice"]
            self.assertLessEqual(paid["count"], twice)
            self.assertLessEqual(twice, paid["count"] + paid["at_most_more"])
            report = lab.assay("runs", "show", run).out
            if paid["at_most_more"]:
                self.assertIn(f"at most {paid['at_most_more']} more", report)
        finally:
            supervise.kill(signal.SIGCONT)
        self.wait_restarted("worker-1", before)
        wait_until(lambda: lab.run_json(run)["paid_twice"]["at_most_more"] == 0, 30, "the worker is back and has said all")
        slots = max(w["slots"] for w in lab.json("workers", "list")["items"])
        self.check_paid_twice(run, slots)
        columns, summary, rows = lab.recount(run)
        self.assertEqual(summary, rows, columns)

    def test_the_coordinator_dies(self):
        """One worker is slow to come back: what it may hold is not given to the other one meanwhile."""
        lab = self.lab
        run = self.start("coordinator")
        before, led = self.restarts("coordinator"), lab.log("coordinator").count("msg=leading")
        slow = lab.process("worker-2")
        slow.kill(signal.SIGSTOP)
        try:
            self.assertTrue(lab.process("coordinator").kill())
            self.wait_restarted("coordinator", before)
            wait_until(lambda: lab.log("coordinator").count("msg=leading") > led, 30, "a new term")
            wait_until(lambda: self.waits(run) == ["perhaps_held"], 25, "the run says what it waits for")
        finally:
            slow.kill(signal.SIGCONT)
        self.wait_end(run)
        self.check_whole(run)
        self.assertEqual(self.endpoint.stats()["twice"], 0)
        self.check_paid_twice(run, 0)

    def test_postgresql_dies(self):
        run = self.start("postgres")
        before = self.restarts("postgres")
        self.assertTrue(self.lab.process("postgres").kill())
        self.wait_restarted("postgres", before)
        self.wait_end(run)
        self.check_whole(run)
        self.assertEqual(self.endpoint.stats()["twice"], 0)
        self.check_paid_twice(run, 0)

    def test_all_three_die_in_one_run(self):
        lab = self.lab
        run = self.start("all")
        before = {name: self.restarts(name) for name in ("postgres", "coordinator", "worker-2")}
        for name in ("worker-2", "coordinator", "postgres"):
            self.assertTrue(lab.process(name).kill())
        for name, count in before.items():
            self.wait_restarted(name, count)
        self.wait_end(run)
        self.check_whole(run)
        wait_until(lambda: lab.run_json(run)["paid_twice"]["at_most_more"] == 0, 40, "all are back and have said all")
        self.check_paid_twice(run, max(w["slots"] for w in lab.json("workers", "list")["items"]))


if __name__ == "__main__":
    unittest.main()
