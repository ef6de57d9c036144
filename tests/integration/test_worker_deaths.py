"""One worker that dies again and again, whose outbox rots, or that is told to go: nothing is lost, nothing paid for is
asked again that need not be, and what was is counted."""
import os
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, wait_until  # noqa: E402

SETTINGS = "allowed_hosts: ['*']\nallow_private: true\n"
CALLS, END_S, UNSENT = 16, 120, 2
MAGIC, KIND_AT, PAYLOAD_AT, ANSWER, RESULT = b"AOE1", 12, 24, 2, 3  # worker/outbox/outbox_record.h


class WorkerCase(unittest.TestCase):
    latency_ms = 40

    def setUp(self):
        self.lab = Lab(workers=0)
        self.addCleanup(self.lab.close)
        self.lab.up()
        self.endpoint = self.lab.endpoint("--latency-ms", self.latency_ms)
        self.lab.add_model("m", self.endpoint.url + "/v1", concurrency=CALLS)

    def run_of(self, n, name):
        self.lab.assay("suite", "push", self.lab.write_suite(n, name=name))
        return self.lab.start(name, "m")

    def check_whole(self, run, n):
        lab, right = self.lab, n // 10 * 7 + min(n % 10, 7)
        wait_until(lambda: lab.run_state(run) not in ("queued", "running", None), END_S, f"the end of run {run}")
        self.assertEqual(lab.run_json(run)["state"], "done", lab.logs())
        self.assertEqual(lab.sql(f"SELECT count(*), count(DISTINCT item_no), round(sum(score)) FROM assay.result "
                                 f"WHERE run_id = {run} AND outcome = 1"), [[str(n), str(n), str(right)]])
        self.assertEqual(self.endpoint.stats()["prompts"], n)


class KilledAgainAndAgain(WorkerCase):
    def test_ten_kills_in_one_run_lose_nothing_and_each_ask_that_died_is_counted(self):
        n, kills, seed = 1500, 10, int(os.environ.get("ASSAY_SEED") or time.time_ns() % 1000000)
        rng, lab = random.Random(seed), self.lab
        worker = lab.own_worker("w", SETTINGS)
        run = self.run_of(n, "kills")
        for kill in range(1, kills + 1):
            at = kill * n // (kills + 2) + rng.randrange(40)
            lab.wait_done(run, at)
            time.sleep(rng.random() * 0.05)  # any moment: nothing is waited for
            worker.close()
            worker.start()
        with self.subTest(seed=seed):
            self.check_whole(run, n)
            wait_until(lambda: lab.run_json(run)["paid_twice"]["at_most_more"] == 0, 40, "the worker has said all")
            twice, paid = self.endpoint.stats()["twice"], lab.run_json(run)["paid_twice"]["count"]
            self.assertLessEqual(twice, kills * CALLS)
            # An ask is on disk before its first byte leaves: one that died between the two is counted, never asked.
            self.assertIn(paid - twice, range(kills * UNSENT + 1), worker.log())
            self.assertEqual(worker.log().count("cannot"), 0, worker.log())


class Rot(WorkerCase):
    def entries(self, worker):
        """(segment, offset, kind) of each entry, in the order of writing."""
        found = []
        for path in sorted((worker.folder / "state/outbox").glob("*.seg")):
            data, at = path.read_bytes(), 48
            while data[at:at + 4] == MAGIC:
                found.append((path, at, data[at + KIND_AT]))
                at += PAYLOAD_AT + int.from_bytes(data[at + 4:at + 8], "little")
        return found

    def spoil(self, entries):
        for path, at, _ in entries:
            with open(path, "r+b") as f:
                f.seek(at + PAYLOAD_AT + 5)
                byte = f.read(1)[0]
                f.seek(at + PAYLOAD_AT + 5)
                f.write(bytes([byte ^ 0x10]))

    def killed_with_uncommitted_results(self, worker, run):
        """While the coordinator is stopped nothing is committed; then the worker dies."""
        coordinator = self.lab.process("coordinator")
        self.lab.wait_done(run, 60)
        coordinator.kill(signal.SIGSTOP)
        paid = self.endpoint.stats()["paid"]
        wait_until(lambda: self.endpoint.stats()["paid"] >= paid + 2 * CALLS, 20, "more is answered meanwhile")
        wait_until(lambda: self.endpoint.stats()["in_flight"] == 0, 20, "what was started is over")
        worker.close()
        return coordinator

    def go_on(self, worker, coordinator):
        worker.start()
        wait_until(lambda: "damaged entries in the outbox were dropped" in worker.log(), 20, "it says so")
        coordinator.kill(signal.SIGCONT)

    def test_a_result_that_rots_is_made_again_from_its_answer(self):
        worker = self.lab.own_worker("w", SETTINGS)
        run = self.run_of(600, "results")
        coordinator = self.killed_with_uncommitted_results(worker, run)
        self.spoil([e for e in self.entries(worker) if e[2] == RESULT][-5:])
        self.go_on(worker, coordinator)
        self.assertRegex(worker.log(), "were dropped.*entries=[1-5]")  # those at the very end count as one
        self.check_whole(run, 600)
        self.assertEqual(self.endpoint.stats()["twice"], 0, worker.log())

    def test_a_sample_of_which_nothing_is_left_is_asked_again(self):
        worker = self.lab.own_worker("w", SETTINGS)
        run = self.run_of(600, "answers")
        coordinator = self.killed_with_uncommitted_results(worker, run)
        rotten = [e for e in self.entries(worker) if e[2] in (ANSWER, RESULT)][-20:]
        self.spoil(rotten)
        self.go_on(worker, coordinator)
        self.check_whole(run, 600)
        self.assertIn(self.endpoint.stats()["twice"], range(1, 21), worker.log())


class ToldToGo(WorkerCase):
    def test_sigterm_finishes_what_runs_gives_back_the_rest_and_exits_0(self):
        first, second = self.lab.own_worker("a", SETTINGS), self.lab.own_worker("b", SETTINGS)
        run = self.run_of(800, "drain")
        self.lab.wait_done(run, 100)
        self.assertEqual(first.stop(), 0, first.log())
        self.assertIn("drained", first.log())
        self.assertLess(self.lab.run_done(run), 800, "too fast: it had nothing more to do")
        self.check_whole(run, 800)
        self.assertEqual(self.endpoint.stats()["twice"], 0)
        paid = self.lab.run_json(run)["paid_twice"]
        self.assertEqual((paid["count"], paid["at_most_more"]), (0, 0))
        self.assertEqual(second.stop(), 0)


class ToldToGoSoon(WorkerCase):
    latency_ms = 6000

    def test_what_does_not_end_within_the_limit_is_given_up_and_the_exit_is_0(self):
        worker = self.lab.own_worker("a", SETTINGS, "--drain-timeout", "300ms")
        run = self.run_of(8, "limit")
        wait_until(lambda: self.endpoint.stats()["in_flight"] == 8, 20, "all are being asked")
        started = time.monotonic()
        self.assertEqual(worker.stop(), 0, worker.log())
        self.assertLess(time.monotonic() - started, 5)
        wait_until(lambda: self.lab.sql(f"SELECT count(*) FROM assay.attempt WHERE run_id = {run} AND error_class = 21") ==
                   [["8"]], 20, "each of them is an ask that was abandoned")
        worker.start()
        self.check_whole(run, 8)
        self.assertEqual(self.lab.run_json(run)["paid_twice"]["count"], 8)


if __name__ == "__main__":
    unittest.main()
