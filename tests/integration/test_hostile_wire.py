"""Peers that do not keep the rules: refused, counted, and a run goes on meanwhile."""
import os
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, LabCase, wait_until  # noqa: E402

ATTACK = BUILD / "tests/integration/wire/wire_attack"
ENDED = "assay_fleet_sessions_ended_total"
N = 2500


class HostileWire(LabCase):
    endpoint_flags = ("--latency-ms", 40)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key, cls.stranger = cls.lab.folder / "attacker.key", cls.lab.folder / "stranger.key"
        public = cls.run_tool("keygen", cls.key)
        cls.run_tool("keygen", cls.stranger)
        cls.lab.assay("workers", "keys", "add", "attacker", public)
        cls.lab.add_model("m", cls.endpoint.url + "/v1", concurrency=4)
        cls.lab.assay("suite", "push", cls.lab.write_suite(N))

    @staticmethod
    def run_tool(*args):
        p = subprocess.run([ATTACK, *map(str, args)], capture_output=True, text=True, timeout=60)
        if p.returncode != 0:
            raise AssertionError(f"wire_attack {args}: {p.stderr}")
        return p.stdout.strip()

    def attack(self, what, key=None):
        before = self.lab.process("coordinator")
        out = self.run_tool(what, self.lab.status()["endpoint"], self.lab.home / "keys/coordinator.public", key or self.key)
        self.assertTrue(before.alive(), f"{what}: the coordinator died\n{self.lab.log('coordinator')[-3000:]}")
        self.assertEqual(self.lab.process("coordinator").pid, before.pid)
        return out.splitlines()

    def connected(self):
        return sorted(w["name"] for w in self.lab.json("workers", "list")["items"] if w["state"] == "connected")

    def ended(self, reason):
        return self.lab.metric(f'{ENDED}{{reason="{reason}"}}')

    def check_ended(self, what, reason, **kwargs):
        before = self.ended(reason)
        lines = self.attack(what, **kwargs)
        wait_until(lambda: self.ended(reason) == before + 1, 10, f"{what}: counted as {reason}; came back: {lines}")
        return lines

    def test_attacks_are_refused_and_counted_while_a_run_goes_on(self):
        lab = self.lab
        run = lab.start("letters", "m")
        lab.wait_done(run, 50)
        self.check_ended("garbage", "bad_frame")
        self.check_ended("empty", "bad_frame")
        self.check_ended("nesting", "bad_frame")
        self.assertTrue(any(line.startswith("refused 2") for line in self.check_ended("version", "version")))
        self.check_ended("no-hello", "no_hello")
        for what, reason in (("second-hello", "second_hello"), ("other-session", "other_session"),
                             ("commit", "not_a_worker")):
            self.assertEqual(self.check_ended(what, reason)[0], "welcome", what)
        self.assertIn("lost", self.attack("oversize"))
        # ZeroMQ cuts the connection before a byte of it is ours: what is counted is a session that fell silent.
        before = self.ended("silent")
        self.assertEqual(self.attack("oversize-worker")[:2], ["welcome", "lost"])
        wait_until(lambda: self.ended("silent") == before + 1, 15, "the session has ended")

        refused = lab.metric("assay_fleet_refused_handshakes_total")
        self.assertIn("denied", self.attack("unknown-key", key=self.stranger))
        wait_until(lambda: lab.metric("assay_fleet_refused_handshakes_total") > refused, 5, "the refusal is counted")

        # Rules that an honest late worker may break too: answered, not punished.
        refused = lab.metric("assay_fleet_refused_leases_total")
        self.assertEqual(self.attack("stale")[:2], ["welcome", "renewed 1"])
        self.assertEqual(lab.metric("assay_fleet_refused_leases_total"), refused + 1)
        before = lab.value("SELECT count(*) FROM assay.refused_result")
        self.assertEqual(self.attack("unknown-run")[:2], ["welcome", "committed 7-7"])
        self.assertEqual(int(lab.value("SELECT count(*) FROM assay.refused_result")), int(before) + 1)

        with socket.create_connection(("127.0.0.1", int(lab.status()["endpoint"].rsplit(":", 1)[1]))) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n" + os.urandom(100000))
        done = lab.run_done(run)
        self.assertLess(done, N - 100, "the run was over before the attacks were")
        lab.wait_done(run, done + 50)
        lab.assay("runs", "watch", run, timeout=120)
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run} AND outcome = 1"), str(N))
        self.assertEqual(self.endpoint.stats()["twice"], 0)
        wait_until(lambda: self.connected() == ["worker-1", "worker-2"], 15, "only the workers are left")

    def test_a_key_that_is_revoked_is_refused(self):
        lab = self.lab
        key = lab.folder / "second.key"
        lab.assay("workers", "keys", "add", "second", self.run_tool("keygen", key))
        self.assertEqual(self.attack("stale", key=key)[0], "welcome")
        lab.assay("workers", "keys", "revoke", "second")
        self.assertIn("denied", self.attack("unknown-key", key=key))
        wait_until(lambda: "second" not in self.connected(), 10, "its session has ended")
        lab.assay("workers", "keys", "add", "bad", "not-a-key", ok=2)
        self.assertNotIn("bad", lab.assay("workers", "keys").out)


if __name__ == "__main__":
    unittest.main()
