"""Silence is explained: what an unfinished run waits for, in show, watch, status, doctor and /metrics."""
import contextlib
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, LabCase, wait_until  # noqa: E402


class Silence(LabCase):
    endpoint_flags = ("--latency-ms", 20)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.add_model("m", cls.endpoint.url + "/v1", concurrency=8)

    def check_recount(self, run):
        columns, summary, rows = self.lab.recount(run)
        self.assertEqual(summary, rows, columns)

    def wait_connected(self, names):
        def connected():
            return sorted(w["name"] for w in self.lab.json("workers", "list")["items"] if w["state"] == "connected")
        wait_until(lambda: connected() == names, 30, f"connected: {names}")

    def test_silence_is_explained(self):
        """What an unfinished run waits for: in show, watch, status, doctor and /metrics."""
        lab = self.lab
        slow = lab.endpoint("--latency-ms", 9000)
        lab.add_model("late", slow.url + "/v1")
        lab.assay("suite", "push", lab.write_suite(2, name="late"))
        run = lab.start("late", "late")
        self.addCleanup(lab.assay, "runs", "cancel", run, ok=None)
        self.assertEqual(wait_until(lambda: lab.run_json(run)["waiting_for"], 10, "it waits")[0]["cause"], "in_flight")
        late = wait_until(lambda: lab.run_json(run)["stragglers"], 20, "stragglers are listed")
        self.assertEqual(sorted(s["item"] for s in late), ["q-00000", "q-00001"])
        self.assertTrue(all(s["age_ms"] >= 5000 and s["worker"].startswith("worker-") and s["started"] for s in late), late)
        shown = lab.assay("runs", "show", run).out
        self.assertRegex(shown, r"waits for +all 2 samples left are with workers, the oldest for \d s")
        self.assertRegex(shown, r"out since +\ds +item q-0000[01] epoch 0 at worker-\d")
        self.assertRegex(lab.assay("status").out, rf"run {run} +0 of 2  waits: all 2 samples left are with workers")
        self.assertGreaterEqual(lab.metric("assay_oldest_sample_seconds"), 5)
        self.assertGreaterEqual(lab.metric('assay_runs_waiting{cause="in_flight"}'), 1)
        self.assertEqual(lab.metric("assay_database_reachable"), 1)

    def test_a_run_without_a_worker_says_so_and_goes_on_when_one_comes(self):
        lab = self.lab
        keys = {k["name"]: k["key"] for k in lab.json("workers", "keys")["items"]}
        lab.assay("suite", "push", lab.write_suite(20, name="lonely"))
        for name in keys:
            lab.assay("workers", "keys", "revoke", name)
        self.wait_connected([])
        try:
            refused = lab.assay("models", "probe", "m", ok=1)
            self.assertIn("nobody could ask 'm': no worker is connected", refused.err)
            self.assertEqual(lab.json("models", "probe", "m", ok=1)["schema"], "assay.error.v1")
            run = lab.start("lonely", "m")
            self.assertEqual(lab.run_json(run)["waiting_for"][0]["cause"], "no_worker")
            self.assertRegex(lab.assay("runs", "show", run).out, r"waits for +no worker is connected")
            self.assertRegex(lab.assay("status").out, rf"run {run} .*waits: no worker is connected")
            self.assertRegex(lab.assay("doctor").out, rf"(?m)^warning +run +{run}: 0 of 20, no worker is connected")
            self.assertGreaterEqual(lab.metric('assay_runs_waiting{cause="no_worker"}'), 1)
        finally:
            for name, key in keys.items():
                lab.assay("workers", "keys", "add", name, key)
        lab.assay("runs", "watch", run)
        self.assertEqual(lab.run_json(run)["waiting_for"], [])
        self.wait_connected(["worker-1", "worker-2"])

    def test_a_database_that_answers_no_more_is_told_at_once(self):
        lab, n = self.lab, 400
        lab.assay("suite", "push", lab.write_suite(n, name="stopped"))
        run = lab.start("stopped", "m")
        lab.wait_done(run, 20)
        server = lab.process("postgres").pid
        family = [server] + [int(p) for p in subprocess.run(["pgrep", "-P", str(server)], capture_output=True, text=True,
                                                            check=True).stdout.split()]
        try:
            for pid in family:
                os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: lab.metric("assay_database_reachable") == 0, 20, "the database is missed")
            self.assertGreaterEqual(lab.metric('assay_runs_waiting{cause="database"}'), 1)
            shown = lab.assay("runs", "show", run, ok=1)
            self.assertIn("its database is away", shown.err)
            self.assertLess(shown.seconds, 5)
            self.assertRegex(" ".join(lab.assay("status").out.split()),
                             rf"run {run} \d+ of {n} waits: waiting for PostgreSQL")
            doctor = lab.assay("doctor", ok=1)
            self.assertRegex(doctor.out, r"(?m)^bad +database +away")
            self.assertLess(doctor.seconds, 5)
            watch = subprocess.Popen([BUILD / "assay", "runs", "watch", str(run)], env=lab.env, stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.assertIn("its database is away", watch.stderr.readline())
        finally:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        told = watch.stderr.read()  # to its end, which is the run's
        watch.stderr.close()
        self.assertEqual(watch.wait(60), 0)
        self.assertLess(told.count("its database is away"), 3, told)
        self.assertEqual(lab.run_json(run)["progress"]["done"], n)
        self.check_recount(run)

    def test_a_paused_and_a_blocked_route_are_told(self):
        lab = self.lab
        busy = lab.endpoint("--rate-limit-share", 1, "--retry-after-ms", 20000)
        lab.add_model("busy", busy.url + "/v1")
        lab.assay("suite", "push", lab.write_suite(400, name="limited"))
        run = lab.start("limited", "busy")
        wait = wait_until(lambda: [w for w in lab.run_json(run)["waiting_for"] if w["cause"] == "route_paused"], 20,
                          "the route is paused")
        self.assertRegex(wait[0]["text"], r"^route busy is paused for \d+ s more")
        self.assertRegex(lab.assay("runs", "show", run).out, r"waits for +route busy is paused for \d+ s more")
        self.assertEqual(lab.metric('assay_routes{state="paused"}'), 1)
        lab.assay("runs", "cancel", run)
        lab.add_model("bad-quota", self.endpoint.url + "/v1")
        result, run = lab.run("limited", "bad-quota", ok=12)
        self.assertIn("route bad-quota is blocked: its quota is used up", result.out)
        self.assertRegex(lab.assay("doctor").out, r"(?m)^warning +route +route bad-quota is blocked")
        self.assertEqual(lab.metric('assay_routes{state="blocked"}'), 1)
        lab.add_model("bad-quota", self.endpoint.url + "/v1", model="m")  # mended: another configuration of the name
        self.assertEqual(lab.run("limited", "bad-quota")[0].code, 0)


if __name__ == "__main__":
    unittest.main()
