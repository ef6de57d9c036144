"""ASSAY_HOME of 150 bytes under the home of root, where PostgreSQL may neither run nor look."""
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, wait_until  # noqa: E402


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


if __name__ == "__main__":
    unittest.main()
