"""After a power cut `up` recovers: everything died at once, and the numbers of its processes belong to others now."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402
from lab import Lab, Process, die_with_test, wait_until  # noqa: E402

N = 400


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        self.lab.up()
        self.endpoint = self.lab.endpoint("--latency-ms", 20)
        self.lab.add_model("m", self.endpoint.url + "/v1", concurrency=16)
        self.lab.assay("suite", "push", self.lab.write_suite(N))

    def cut(self):
        everything = [self.lab.supervise()] + [Process(p["id"]) for p in self.lab.status()["processes"]]
        for process in everything:
            process.kill(signal.SIGKILL)
        wait_until(lambda: not any(p.alive() for p in everything), 20, "all is dead")

    def bystander(self, uid=None):
        process = subprocess.Popen(["sleep", "600"], preexec_fn=die_with_test, user=uid, group=uid)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def cluster(self):
        data = pathlib.Path("/var/lib/assay/" + lab_module.home_id(self.lab.home) if os.getuid() == 0 else
                            str(self.lab.home / "pg"))
        return data / "cluster"

    def test_up_goes_on_with_a_run_that_was_under_way(self):
        lab = self.lab
        run = lab.start("letters", "m")
        lab.wait_done(run, N // 4)
        slots = self.endpoint.stats()["in_flight"] + 16
        self.cut()
        lab.up()
        lab.assay("runs", "watch", run, timeout=120)
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run} AND outcome = 1"), str(N))
        stats, paid = self.endpoint.stats(), lab.run_json(run)["paid_twice"]
        self.assertEqual(stats["prompts"], N)
        self.assertLessEqual(stats["twice"], slots)
        self.assertLessEqual(paid["count"], stats["twice"] + stats["unheard"] + 2)  # an ask is written before it leaves
        self.assertLessEqual(stats["twice"], paid["count"] + paid["at_most_more"])

    def test_processes_that_have_the_old_numbers_are_left_alone(self):
        lab = self.lab
        lab.run("letters", "m")
        dsn = lab.status()["dsn"]
        self.cut()
        own, cluster = self.bystander(), self.cluster()
        account = self.bystander(os.stat(cluster).st_uid if os.getuid() == 0 else None)
        status = json.loads((lab.home / "status.json").read_text())
        other_boot = f"{own.pid} {lab_module.start_ticks(own.pid)} 00000000-0000-0000-0000-000000000000"
        status["supervise"] = other_boot
        for p in status["processes"]:
            p["id"], p["pid"] = other_boot, own.pid
        (lab.home / "status.json").write_text(json.dumps(status))
        sockets = pathlib.Path(next(p[5:] for p in dsn.split() if p.startswith("host=")))
        for path in (cluster / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
            path.write_text("".join([f"{account.pid}\n"] + path.read_text().splitlines(keepends=True)[1:]))
        lab.up()
        self.assertIn(f"280/{N}", lab.assay("runs", "show", 1).out)
        lab.down()
        self.assertIsNone(own.poll())
        self.assertIsNone(account.poll())

    def test_files_that_lost_their_content_are_made_anew(self):
        """What says who runs and on which port is worth nothing after a power cut; it may be empty or cut short."""
        lab = self.lab
        lab.run("letters", "m")
        self.cut()
        for text in ("", "\0" * 512):
            with self.subTest(repr(text[:5])):
                (lab.home / "status.json").write_text(text)
                lab.up()
                self.assertIn(f"280/{N}", lab.assay("runs", "show", 1).out)
                self.cut()
        lab.up()
        self.assertEqual(lab.assay("doctor", ok=None).code, 0)


if __name__ == "__main__":
    unittest.main()
