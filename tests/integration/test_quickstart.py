"""deploy/quickstart as a newcomer runs it: one command, no question, a report; and again, which asks nothing.

A llama-server on PATH stands in for the download: tests/endpoint, which counts what it is asked. The form with the real
model (125 MB from PyPI, minutes of processor time) is for `tests/run --long`."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, Lab, ROOT  # noqa: E402

N = 120
SERVER = """#!/bin/sh
# llama-server as tests/endpoint: takes the port, counts the start.
echo "$$ $*" >> {folder}/starts
while [ $# -gt 0 ]; do case "$1" in --port) port=$2;; esac; shift; done
echo "$port" > {folder}/port
exec {endpoint} --port "$port" --latency-ms 5
"""


class Quickstart(unittest.TestCase):
    def setUp(self):
        if BUILD != ROOT / "build":
            self.skipTest("quickstart builds build/, and ASSAY_BUILD names another folder")
        self.lab = Lab()
        self.addCleanup(self.lab.close)

    def quickstart(self, **env):
        """Its output and how long it took; standard input is closed, so a question would end it."""
        started = time.monotonic()
        p = subprocess.run(["bash", ROOT / "deploy/quickstart"], env={**self.lab.env, **env}, cwd="/", stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=900)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr + self.lab.logs())
        return p.stdout, p.stderr, time.monotonic() - started

    def check_report(self, report, n, name):
        """What INTERFACES.md 2 shows of a run by itself."""
        self.assertIn(f"suite {name}@1", report)
        self.assertIn("model local-smol", report)
        self.assertRegex(report, r"chance 12\.5 %")
        self.assertRegex(report, rf"\d+/{n}\s+\d+\.\d %\s+\[\d+\.\d, \d+\.\d\]")
        for section in ("games", "sound", "net", "science", "fonts", "database", "mail", "editors"):
            self.assertRegex(report, rf"(?m)^\s+{section}\s+\d+/\d+\s+\d+\.\d %\s+\[")
        self.assertRegex(report, r"(?m)^missing: ")
        self.assertRegex(report, r"[\d,]+ tokens in, [\d,]+ out")
        self.assertIn("paid twice 0", report)
        following = report[report.index("\nnext: "):]  # to the end: its lines are broken at the width of the terminal
        self.assertEqual(following.count("assay "), 3, following)

    def check_items(self):
        """Cut from this machine's own lists: each text stands there, 15 of each of 8 sections."""
        items = [json.loads(line) for line in
                 (self.lab.home / "examples/package-triage/items.jsonl").read_text().splitlines()]
        self.assertEqual(len(items), N)
        self.assertEqual(len({i["id"] for i in items}), N)
        known = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, check=True).stdout
        for i in items:
            self.assertEqual((len(i["choices"]), i["source"]["kind"]), (8, "representative"))
            self.assertIn(i["target"], i["choices"])
            self.assertEqual(sum(j["target"] == i["target"] for j in items), N // 8)
            if known:
                self.assertIn(": " + i["input"] + "\n", known)
        shown = self.lab.json("suite", "show", "package-triage")
        self.assertEqual((shown["items"], shown["settings"]["provenance"]), (N, "representative"), shown)

    def twice(self, **env):
        """Both reports; the second time nothing is asked, started or written anew."""
        report, said, seconds = self.quickstart(**env)
        first_s = seconds
        self.check_report(report, N, "package-triage")
        self.check_items()
        self.assertIn("build/assay down", said)
        before, rows = self.lab.status(), self.lab.value("SELECT count(*) FROM assay.result")
        again, _, seconds = self.quickstart(**env)
        print(f"\nfigure: quickstart {first_s:.0f} s, again {seconds:.0f} s", file=sys.stderr)
        head = "suite package-triage@1"
        self.assertEqual(again[again.index(head):], report[report.index(head):])
        self.assertEqual(self.lab.status(), before)
        self.assertEqual(self.lab.value("SELECT count(*) FROM assay.result"), rows)
        self.assertEqual(len(self.lab.json("runs", "list")["items"]), 1)
        self.assertEqual({(s["name"], s["version"]) for s in self.lab.json("suite", "list")["items"]},
                         {("package-triage", 1), ("support-desk", 1)})

    def test_one_command_ends_with_a_report_and_the_second_time_is_a_no_op(self):
        folder = self.lab.folder / "bin"
        server = self.lab.write("bin/llama-server", SERVER.format(folder=folder, endpoint=BUILD / "tests/endpoint/endpoint"))
        server.chmod(0o755)
        env = {"PATH": f"{folder}:{os.environ['PATH']}", "ASSAY_GGUF": str(self.lab.write("model.gguf", "GGUF"))}
        self.twice(**env)
        starts = (folder / "starts").read_text().splitlines()
        self.assertEqual(len(starts), 1, starts)
        self.assertRegex(starts[0], r"--model \S+model\.gguf --alias smollm2 --host 127\.0\.0\.1 --port \d+ --parallel 4 ")
        result, _ = self.lab.run("support-desk", "local-smol", env=env)
        self.assertRegex(result.out, r"\d+/40\s")
        self.assertIn("chance 20", result.out)
        pid = int(starts[0].split()[0])
        self.lab.down()
        self.assertFalse(pathlib.Path(f"/proc/{pid}").exists(), "the model server outlived `down`")

    def test_with_the_real_model(self):
        if not os.environ.get("ASSAY_LONG"):
            self.skipTest("the real model is for tests/run --long")
        self.twice()
        item = self.lab.assay("runs", "export", 1, "--content").out.splitlines()[0]
        self.assertTrue(re.search(r'"answer": ?"[^"]', item), item)


if __name__ == "__main__":
    unittest.main()
