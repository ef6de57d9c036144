"""Who may speak to a coordinator: nobody without CURVE, without a registered key, or whose key was taken away."""
import os
import re
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, LabCase, clean_environment, wait_until  # noqa: E402

ATTACK = BUILD / "tests/integration/wire/wire_attack"
N = 1500


def greeting(mechanism):
    """ZMTP 3.0: signature, version 3.0, mechanism, as-server 0, filler."""
    return b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + mechanism.ljust(20, b"\0") + b"\0" + bytes(31)


def command(name, body):
    data = bytes([len(name)]) + name + body
    return bytes([4, len(data)]) + data


NULL_READY = command(b"READY", b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER")
PLAIN_HELLO = command(b"HELLO", b"\x05admin\x05admin")


def attack(*args):
    p = subprocess.run([ATTACK, *map(str, args)], capture_output=True, text=True, timeout=60)
    if p.returncode != 0:
        raise AssertionError(f"wire_attack {args}: {p.stderr}")
    return p.stdout.strip().splitlines()


class Plaintext(LabCase):
    workers = 1

    def speak(self, mechanism, first_command):
        """What the coordinator says to a peer of another mechanism, up to the end of the connection."""
        port = int(self.lab.status()["endpoint"].rsplit(":", 1)[1])
        heard, said = b"", greeting(mechanism)
        with socket.create_connection(("127.0.0.1", port), timeout=15) as s:
            s.sendall(said[:11])  # up to the version: now it tells its mechanism
            while len(heard) < 64:
                heard += s.recv(4096)
            try:
                s.sendall(said[11:] + first_command)
                while chunk := s.recv(4096):
                    heard += chunk
            except (ConnectionResetError, BrokenPipeError):
                pass
        return heard

    def test_a_peer_without_curve_is_told_nothing(self):
        lab = self.lab
        for mechanism, first in ((b"NULL", NULL_READY), (b"PLAIN", PLAIN_HELLO)):
            heard = self.speak(mechanism, first)
            self.assertEqual(heard[12:32].rstrip(b"\0"), b"CURVE", heard)  # its own greeting
            self.assertEqual(heard[64:], b"", f"{mechanism}: something was said after the greeting")
        self.assertEqual(lab.metric("assay_workers_connected"), 1)

    def test_no_flag_and_no_file_opens_a_port_without_curve(self):
        program = BUILD / "assay-coordinator"
        base = ["--dsn", "host=/nowhere", "--listen", "tcp://127.0.0.1:0", "--http", "127.0.0.1:0", "--token-file",
                self.lab.home / "token"]
        bad = self.lab.write("not-a-key", "secret\n")
        os.chmod(bad, 0o600)
        allowed = self.lab.write("allowed", "")

        def refused(*args):
            p = subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=30,
                               env=clean_environment())
            self.assertNotEqual(p.returncode, 0, args)
            return p.stderr

        said = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
        flags = re.findall(r"--([a-z-]+)", said)
        self.assertIn("key", flags)
        for flag in flags:
            self.assertNotRegex(flag, "plain|insecure|no-|curve|security|auth")
        for flag in ("--plaintext", "--insecure", "--no-curve"):
            self.assertIn(flag, refused(*base, "--key", bad, "--allowed", allowed, flag))
        self.assertIn("--key", refused(*base, "--allowed", allowed))
        self.assertIn("not-a-key", refused(*base, "--key", bad, "--allowed", allowed))
        self.assertIn("--allowed", refused(*base, "--key", self.lab.folder / "new.key"))


class Keys(LabCase):
    endpoint_flags = ("--latency-ms", 100)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.add_model("m", cls.endpoint.url + "/v1", concurrency=16)
        cls.lab.assay("suite", "push", cls.lab.write_suite(N))

    def connected(self):
        return sorted(w["name"] for w in self.lab.json("workers", "list")["items"] if w["state"] == "connected")

    def key_of(self, name):
        """As the coordinator's own list has it."""
        return next(k["key"] for k in self.lab.json("workers", "keys")["items"] if k["name"] == name)

    def test_a_known_key_does_not_come_in_with_a_wrong_coordinator_key(self):
        lab = self.lab
        key, other = lab.folder / "known.key", lab.folder / "other.key"
        lab.assay("workers", "keys", "add", "known", *attack("keygen", key))
        wrong = lab.write("wrong.public", attack("keygen", other)[0] + "\n")
        endpoint, right = lab.status()["endpoint"], lab.home / "keys/coordinator.public"
        frames = lab.metric("assay_fleet_frames_received_total{")
        self.assertEqual(attack("unknown-key", endpoint, wrong, key)[0], "no handshake")
        self.assertEqual(attack("second-hello", endpoint, right, key)[0], "welcome")  # it was the key alone
        self.assertGreaterEqual(lab.metric("assay_fleet_frames_received_total"), frames)
        lab.assay("workers", "keys", "revoke", "known")

    def test_a_key_that_is_taken_away_ends_its_session_and_its_leases_go_back(self):
        lab = self.lab
        name, key = "worker-2", self.key_of("worker-2")
        ended = 'assay_fleet_sessions_ended_total{reason="key_revoked"}'
        run = lab.start("letters", "m")
        lab.wait_done(run, 100)
        self.assertEqual(self.connected(), ["worker-1", "worker-2"])
        before = lab.metric(ended)
        lab.assay("workers", "keys", "revoke", name)
        wait_until(lambda: lab.metric(ended) == before + 1, 5, "its session has ended")
        self.assertEqual(self.connected(), ["worker-1"])
        lab.assay("runs", "watch", run, timeout=120)
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run} AND outcome = 1"), str(N))
        welcomes = lab.log(name).count("msg=welcomed")
        twice = self.endpoint.stats()["twice"]
        # It may start what it holds until its deadline: 8 at a time, 100 ms each, for 3 s.
        self.assertLessEqual(twice, 8 * 31)
        lab.assay("workers", "keys", "add", name, key)
        wait_until(lambda: lab.log(name).count("msg=welcomed") > welcomes, 60, "its key is back, and so is it")
        wait_until(lambda: int(lab.value(f"SELECT count(*) FROM assay.paid_twice WHERE run_id = {run}")) == twice, 20,
                   f"what it had asked for in vain is booked: {twice}")


if __name__ == "__main__":
    unittest.main()
