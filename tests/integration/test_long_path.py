"""Where an installation may lie: 150 bytes under the home of root, where PostgreSQL may neither run nor look; and with
somebody who has no rights at all."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, Lab, wait_until  # noqa: E402


class LongPath(unittest.TestCase):
    def test_it_starts_runs_and_stops_there(self):
        top = pathlib.Path.home() / f"assay-long-path-{os.getpid()}"
        home = str(top) + "/" + "x" * (150 - len(str(top)) - 1)
        self.assertEqual(len(home), 150)
        self.addCleanup(shutil.rmtree, top, True)
        lab = Lab(workers=1, home=home)
        self.addCleanup(lab.close)
        lab.up()
        endpoint = lab.endpoint()
        lab.add_model("m", endpoint.url + "/v1")
        result, _ = lab.run(lab.write_suite(5), "m")
        self.assertIn("5/5", result.out)
        dsn = lab.status()["dsn"]
        sockets = next(p[5:] for p in dsn.split() if p.startswith("host="))
        self.assertLess(len(sockets), 80)
        if os.getuid() == 0:
            self.assertTrue(sockets.startswith("/run/assay-0/"), sockets)
            data = "/var/lib/assay/" + os.path.basename(sockets)
            self.assertEqual(os.stat(data).st_mode & 0o777, 0o700)
            self.assertNotEqual(os.stat(data).st_uid, 0)
        postgres = lab.process("postgres")
        lab.down()
        wait_until(lambda: not postgres.alive(), 10, "PostgreSQL has stopped")


class NoRights(unittest.TestCase):
    """The same as an ordinary user: nothing outside ASSAY_HOME but, when its path is long, the sockets."""

    NOBODY = 65534

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.close)
        os.chmod(self.lab.folder, 0o755)
        self.bin = self.lab.folder / "bin"
        self.bin.mkdir()
        for name in ("assay", "assay-coordinator", "assay-worker"):  # the build may lie where only root can look
            shutil.copy(BUILD / name, self.bin / name)

    def as_user(self, home, *args, ok=0):
        user = {"user": self.NOBODY, "group": self.NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        p = subprocess.run([self.bin / "assay", *map(str, args)], env={**self.lab.env, "ASSAY_HOME": str(home)}, cwd="/tmp",
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, **user)
        self.assertEqual(p.returncode, ok, f"assay {args}: {p.stdout}{p.stderr}")
        return p.stdout

    def check_at(self, home):
        """Up, a run, down; returns the folder of the sockets."""
        home.parent.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            os.chown(home.parent, self.NOBODY, self.NOBODY)
        try:
            self.as_user(home, "up", "--workers", 1)
            status = json.loads(self.as_user(home, "status", "--json"))
            sockets = next(p[5:] for p in status["dsn"].split() if p.startswith("host="))
            for process in status["processes"]:
                uid = os.stat(f"/proc/{process['pid']}").st_uid
                self.assertEqual(uid, self.NOBODY if os.getuid() == 0 else os.getuid(), process)
            endpoint = self.lab.endpoint()
            suite = self.lab.write_suite(5)
            model = self.lab.write("m.yaml", "\n".join(["schema: assay.models.v1", "models:", "  - name: m", "    provider: openai",
                                                        f"    base_url: {endpoint.url}/v1", ""]))
            self.as_user(home, "models", "add", model)
            self.assertIn("5/5", self.as_user(home, "run", suite, "--model", "m"))
            self.assertTrue((home / "pg").is_dir())
            self.assertEqual(os.stat(sockets).st_mode & 0o777, 0o700)
        finally:
            self.as_user(home, "down")
        return pathlib.Path(sockets)

    def test_a_short_path_keeps_everything_in_it(self):
        home = self.lab.folder / "own" / "home"
        self.assertTrue(self.check_at(home).is_relative_to(home))

    def test_a_path_too_long_for_a_socket_keeps_the_data_there_and_the_sockets_elsewhere(self):
        start = str(self.lab.folder / "own") + "/"
        home = pathlib.Path(start + "y" * (150 - len(start)))
        sockets = self.check_at(home)
        self.addCleanup(shutil.rmtree, sockets, True)
        self.assertRegex(str(sockets), r"^/tmp/assay-\d+/[0-9a-f]{16}$")


if __name__ == "__main__":
    unittest.main()
