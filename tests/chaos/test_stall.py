"""The database stops for ten lease times at full load: nobody loses a lease, nothing is asked twice, memory is bounded."""
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import LEASE_S, quiet_kill  # noqa: E402
from scene import Scene  # noqa: E402

WINDOW_RECORDS = 4 * 256  # of a worker: Results frames that may be unacknowledged, records in each
WINDOW_KB = 1024
SLACK_KB = 16 * 1024      # buffers of a size that the load does not change
QUIET_S = 2.0


class Stall(Scene):
    workers, slots, concurrency, items, models = 2, 64, 128, 20000, 2
    endpoint_flags = ("--latency-ms", 5)

    def test_a_database_stopped_for_ten_lease_times_costs_nothing_but_time(self):
        fleet = self.fleet
        fleet.wait(lambda: (fleet.done() or 0) > 3000, 60, "full load")
        watched = [fleet.parts[n] for n in ("c1", "c2", *fleet.workers)]
        stopped = fleet.parts["db"].family()
        asked = fleet.endpoint.stats()["asked"]
        for pid in stopped:
            quiet_kill(pid, signal.SIGSTOP)
        began, before = time.monotonic(), {p.name: p.rss_kb() for p in watched}
        try:
            fleet.rest(10 * LEASE_S - QUIET_S)
            settled = fleet.endpoint.stats()["asked"]
            fleet.rest(QUIET_S)
            stats = fleet.endpoint.stats()
            after = {p.name: p.rss_kb() for p in watched}
            self.assertEqual(stats["asked"], settled, "the windows are full: nothing more is asked")
        finally:
            for pid in stopped:
                quiet_kill(pid, signal.SIGCONT)
        grown = {name: after[name] - before[name] for name in after}
        self.say(f"{time.monotonic() - began:.0f} s, {stats['asked'] - asked} asked meanwhile, RSS grew by {grown} KB")
        self.assertLessEqual(stats["asked"] - asked, self.workers * (WINDOW_RECORDS + 2 * self.slots))
        for name, kb in grown.items():
            windows = WINDOW_KB * (1 if name in fleet.workers else self.workers)
            self.assertLessEqual(kb, 4 * windows + SLACK_KB, f"{name} grew from {before[name]} KB")
        figures = self.finish(0)
        self.assertEqual(figures["twice"], 0)
        self.assertEqual(fleet.sql("SELECT count(*) FROM assay.attempt WHERE error_class = 20"), [["0"]], "no lease expired")
        for part in watched:
            self.assertEqual([e for e in part.endings if e == -9], [])
            self.assertNotRegex(part.log(), "why=silent|the coordinator is silent")


if __name__ == "__main__":
    unittest.main()
