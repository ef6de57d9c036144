"""The command line by itself, without a server: help, completion, usage, files that are wrong before anything is sent."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, clean_environment  # noqa: E402


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="assay-line-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)

    def assay(self, *args, ok=0, env=None):
        p = subprocess.run([BUILD / "assay", *map(str, args)], cwd=self.folder, capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, timeout=60,
                           env=clean_environment(**{"ASSAY_HOME": self.folder / "home", **(env or {})}))
        self.assertEqual(p.returncode, ok, f"assay {args}\n{p.stdout}{p.stderr}")
        return p

    # ---- help ----

    def test_help_is_a_command_and_a_flag(self):
        self.assertEqual(self.assay("help").stdout, self.assay("--help").stdout)
        self.assertEqual(self.assay("help", "run").stdout, self.assay("run", "--help").stdout)
        self.assertEqual(self.assay("help", "runs", "list").stdout, self.assay("runs", "list", "-h").stdout)
        self.assertIn("runs retry RUN", self.assay("help", "runs").stdout)
        self.assertIn("did you mean 'runs list'", self.assay("help", "runs", "lst", ok=2).stderr)
        self.assertIn("ASSAY_TOKEN_FILE", self.assay("help").stdout)

    def test_a_wrong_line_is_told_in_json_when_json_was_asked_for(self):
        document = json.loads(self.assay("run", "x", "--json", ok=2).stdout)
        self.assertEqual((document["schema"], document["exit"]), ("assay.error.v1", 2))
        self.assertIn("--model", document["error"])

    def test_a_form_that_a_command_does_not_have_is_refused_not_dropped(self):
        self.assertIn("no CSV; it has --json", self.assay("status", "--csv", ok=2).stderr)
        self.assertIn("one document", self.assay("compare", 1, 2, "--jsonl", ok=2).stderr)
        self.assertIn("--csv has no content", self.assay("runs", "export", 1, "--csv", "--content", ok=2).stderr)
        self.assertIn("exclude each other", self.assay("runs", "export", 1, "--csv", "--json", ok=2).stderr)
        self.assertIn("--jsonl", self.assay("logs", "--follow", "--json", ok=2).stderr)

    def test_without_an_installation_each_command_says_so(self):
        for command in (("status",), ("runs", "list"), ("models", "list"), ("run", "x", "--model", "y")):
            self.assertIn("assay up", self.assay(*command, ok=3).stderr)
        self.assertIn("nothing to stop", self.assay("down").stderr)
        self.assertIn("cannot make the folder", self.assay("up", ok=1, env={"ASSAY_HOME": "/proc/x"}).stderr)
        self.assertIn("must begin with http", self.assay("runs", "list", "--server", "ftp://x", ok=2).stderr)
        self.assertIn("ASSAY_TOKEN_FILE", self.assay("runs", "list", "--server", "http://127.0.0.1:1", ok=3).stderr)
        self.assertIn("did you mean --model", self.assay("run", "x", "-model", "y", ok=2).stderr)

    # ---- completion ----

    def complete(self, *words):
        """What bash offers behind these words; the last one is being typed."""
        script = self.assay("completion").stdout
        script += "\nCOMP_WORDS=(assay " + " ".join(f"'{w}'" for w in words) + f")\nCOMP_CWORD={len(words)}\n_assay\n"
        p = subprocess.run(["bash", "-c", script + "printf '%s\\n' \"${COMPREPLY[@]}\""], cwd=self.folder, text=True,
                           capture_output=True, timeout=20, check=True)
        self.assertEqual(p.stderr, "")
        return p.stdout.split()

    def test_completion_offers_every_command_and_every_flag_of_the_help(self):
        first = self.complete("")
        for line in self.assay("help").stdout.split("commands:")[1].split("\n\n")[0].splitlines():
            if not line.strip():
                continue
            words = line.split()
            self.assertIn(words[0], first)
            if words[0] in ("suite", "runs", "item", "models", "workers", "stats"):
                self.assertIn(words[1], self.complete(words[0], ""))
        for command in (["run"], ["runs", "list"], ["up"], ["logs"], ["runs", "export"], ["suite", "list"]):
            flags = [w for line in self.assay("help", *command).stdout.split("\nflags:")[1].splitlines()
                     for w in line.split()[:2] if w.startswith("--")]
            self.assertTrue(flags)
            offered = self.complete(*command, "-")
            for flag in flags + ["--json", "--help", "--no-progress"]:
                self.assertIn(flag.rstrip(","), offered, command)

    def test_completion_knows_what_stands_where(self):
        (self.folder / "suite.yaml").write_text("")
        self.assertEqual(self.complete("ru"), ["run", "runs"])
        self.assertEqual(self.complete("--color", "always", "runs", "re"), ["retry"])
        self.assertEqual(self.complete("--server", "runs", "stat"), ["status", "stats"])
        self.assertEqual(self.complete("run", "--color", "a"), ["auto", "always"])
        self.assertEqual(self.complete("runs", "list", "--state", "run"), ["running"])
        self.assertEqual(self.complete("suite", "check", "su"), ["suite.yaml"])
        self.assertEqual(self.complete("eval", "su"), ["suite.yaml"])
        self.assertEqual(self.complete("workers", "keys", "a"), ["add"])
        self.assertEqual(self.complete("status", ""), [])
        self.assay("completion", "tcsh", ok=2)

    # ---- files ----

    def test_a_path_that_is_none_of_a_file_is_wrong_usage(self):
        (self.folder / "suite.yaml").write_text("")
        for command in (("suite", "check"), ("models", "add")):
            for path, why in ((self.folder, "Is a directory"), ("nowhere.yaml", "No such file"),
                              ("suite.yaml/x", "Not a directory"), ("x" * 300, "too long")):
                text = self.assay(*command, path, ok=2).stderr
                self.assertIn(why, text)
                self.assertIn(str(path), text)

    def test_a_byte_order_mark_and_utf_16_are_named(self):
        self.assay("init")
        suite = (self.folder / "suite.yaml").read_bytes()
        (self.folder / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + suite)
        self.assertIn("bom.yaml:1:1: the file starts with a byte order mark",
                      self.assay("suite", "check", "bom.yaml", ok=2).stderr)
        (self.folder / "wide.yaml").write_bytes(suite.decode().encode("utf-16"))
        self.assertIn("wide.yaml:1:1: the file is UTF-16", self.assay("suite", "check", "wide.yaml", ok=2).stderr)
        items = (self.folder / "items.jsonl").read_bytes()
        (self.folder / "items.jsonl").write_bytes(b"\xef\xbb\xbf" + items)
        self.assertIn("items.jsonl:1:1: the file starts with a byte order mark",
                      self.assay("suite", "check", "suite.yaml", ok=2).stderr)

    def test_one_is_not_many(self):
        self.assay("init")
        (self.folder / "items.jsonl").write_text((self.folder / "items.jsonl").read_text().splitlines()[0] + "\n")
        self.assertRegex(self.assay("suite", "check", "suite.yaml").stdout, r": 1 item, 1 metric, hash")

    def test_statistics_are_checked_into_a_document(self):
        vector = {"format": 1, "method": "no_such_method", "cases": [{"id": "a", "input": {}, "expected": {"x": 1}}]}
        (self.folder / "v.json").write_text(json.dumps(vector))
        p = self.assay("stats", "check", "v.json", "--json", ok=1)
        document = json.loads(p.stdout)
        self.assertEqual(document["schema"], "assay.stats-check.v1")
        self.assertEqual((document["cases"], document["passed"], document["failed"]), (1, 0, 1))
        self.assertTrue(any("not known" in f for f in document["files"][0]["findings"]), document)
        broken = json.loads(self.assay("stats", "check", "nowhere.json", "--json", ok=2).stdout)
        self.assertIn("No such file", broken["files"][0]["error"])


if __name__ == "__main__":
    unittest.main()
