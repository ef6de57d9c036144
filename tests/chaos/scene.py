"""A fleet for one test case, with a run under way; a test that fails keeps its logs and says where."""
import os
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fleet as fleet_module  # noqa: E402
import judge  # noqa: E402

PLAIN = {"net": "not wanted", "clock": "not wanted", "mount": "not wanted"}


class Scene(unittest.TestCase):
    workers, slots, concurrency, items, models = 2, 32, 40, 8000, 2
    endpoint_flags = ("--latency-ms", 100)

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="assay-scene-", dir="/tmp"))
        self.fleet = fleet_module.Fleet(self.folder, 1, PLAIN, workers=self.workers, slots=self.slots,
                                        endpoint_flags=self.endpoint_flags)
        self.addCleanup(self.end)
        self.fleet.start()
        self.fleet.push_suite("letters", self.items)
        for i in range(self.models):
            self.fleet.add_model(f"m{i}", self.concurrency)
            self.fleet.assay("run", "letters", "--model", f"m{i}", "--detach")
        self.samples = self.items * self.models
        self.fleet.wait(lambda: (self.fleet.done() or 0) > 200, 60, "the load runs")

    def end(self):
        self.fleet.close()
        failed = self._outcome.result.failures + self._outcome.result.errors
        if any(case is self for case, _ in failed):
            print(f"logs: {self.folder}/logs", file=sys.stderr)
        else:
            self.fleet.remove()

    def finish(self, allowed):
        """The rest of the load, fast; then nothing is lost, nothing counted twice, no more asked twice than `allowed`."""
        class Allowance:
            @staticmethod
            def allowed_twice():
                return allowed
        self.fleet.latency(1)
        judge.settle(self.fleet, self.samples)
        wrong, figures = judge.verdict(self.fleet, self.samples, [Allowance])
        self.assertEqual(wrong, [])
        return figures

    def within(self, condition, since, most_s, what):
        """Milliseconds from `since` until it holds; at most so many seconds."""
        self.fleet.wait(condition, most_s + 30, what, each=0.005)
        took = time.monotonic() - since
        self.assertLessEqual(took, most_s, f"{what}: {took:.2f} s\n{self.fleet.tails()}")
        return round(1000 * took)

    def say(self, text):
        print(f"\nfigure: {type(self).__name__}: {text}", file=sys.stderr, flush=True)
