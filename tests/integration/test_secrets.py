"""A provider's key is used and is nowhere: not in the database, a log, the outbox, or any file of the home."""
import os
import secrets
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402
from lab import LabCase  # noqa: E402

KEY = "sk-" + secrets.token_hex(24)
N = 40


class Secrets(LabCase):
    environment = {"X_API_KEY": KEY, "ASSAY_LOG": "debug"}
    endpoint_flags = ("--want-key", KEY)

    def files(self):
        places = [self.lab.home]
        if os.getuid() == 0:
            places.append("/var/lib/assay/" + lab_module.home_id(self.lab.home))
        for place in places:
            for folder, _, names in os.walk(place):
                for name in names:
                    path = os.path.join(folder, name)
                    if os.path.isfile(path):
                        with open(path, "rb") as f:
                            yield path, f.read()

    def test_the_key_goes_to_the_provider_and_nowhere_else(self):
        lab = self.lab
        url = self.endpoint.url + "/v1"
        lab.add_model("keyed", url, key="x")
        lab.add_model("keyless", url)
        lab.add_model("echo", url, model="bad-401", key="x")
        lab.assay("suite", "push", lab.write_suite(N))
        result, _ = lab.run("letters", "keyed")
        self.assertIn("28/40", result.out)
        self.assertEqual(self.endpoint.stats()["denied"], 0)
        self.assertEqual(self.endpoint.stats()["paid"], N)
        lab.run("letters", "keyless", ok=12)
        self.assertGreater(self.endpoint.stats()["denied"], 0)
        lab.run("letters", "echo", ok=12)

        needle = KEY.encode()
        dump = subprocess.run(["pg_dump", "-d", lab.status()["dsn"]], env=lab.env, capture_output=True, check=True)
        self.assertIn(b"Question 7 of letters", dump.stdout)  # it is a dump of what was asked
        self.assertNotIn(needle, dump.stdout)
        outputs = "".join(lab.assay(*c).out for c in (("runs", "export", 1, "--content"), ("logs", "-n", 100000),
                                                      ("item", "show", 3, "q-00001"), ("doctor",), ("models", "list")))
        self.assertNotIn(KEY, outputs)
        seen = 0
        for path, content in self.files():
            seen += 1
            self.assertNotIn(needle, content, path)
        self.assertGreater(seen, 50)
        lab.down()
        for path, content in self.files():
            self.assertNotIn(needle, content, path)

    def test_only_workers_have_it_in_their_environment(self):
        lab = self.lab
        if not lab.assay("status", ok=None).out.startswith("running"):
            lab.up()
        for p in lab.status()["processes"]:
            with open(f"/proc/{p['pid']}/environ", "rb") as f:
                environment = f.read()
            self.assertEqual(KEY.encode() in environment, p["name"].startswith("worker"), p["name"])


if __name__ == "__main__":
    unittest.main()
