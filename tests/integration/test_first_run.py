"""The first hour with Assay: up, register, run, look, compare, down, and up again after a crash."""
import csv
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402
from lab import LabCase, wait_until  # noqa: E402

N = 200


def processes_of(lab):
    """Every process that belongs to this installation: ASSAY_HOME in its environment, or its data in its arguments."""
    home = str(lab.home.resolve())
    data = "/var/lib/assay/" + lab_module.home_id(lab.home)
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in (os.getpid(), lab.guard.pid):
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if data in arguments or f"ASSAY_HOME={home}\0" in environment + "\0" or home in arguments:
            found[int(entry.name)] = arguments
    return found


class FirstRun(LabCase):
    """In order: each test goes on where the one before left off."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.suite = cls.lab.write_suite(N)
        cls.lab.add_model("small", cls.endpoint.url + "/v1")

    def test_01_status_names_every_process(self):
        status = self.lab.status()
        self.assertEqual(status["schema"], "assay.status.v1")
        self.assertTrue(status["running"])
        self.assertEqual([p["name"] for p in status["processes"]], ["postgres", "coordinator", "worker-1", "worker-2"])
        for p in status["processes"]:
            self.assertEqual(p["state"], "running", p)
            self.assertTrue(lab_module.Process(p["id"]).alive(), p)
        self.assertEqual(self.lab.value("SELECT 1"), "1")
        token = self.lab.home / "token"
        self.assertEqual(token.stat().st_mode & 0o777, 0o600)

    def test_02_second_up_changes_nothing(self):
        before = self.lab.status()
        self.lab.up()
        self.assertEqual(self.lab.status(), before)

    def test_02b_a_key_that_the_workers_do_not_have_is_told_by_up(self):
        before = self.lab.status()
        told = self.lab.assay("up", env={"OPEN_AI_API_KEY": "sk-0123456789"}).err
        self.assertIn("OPEN_AI_API_KEY is set now", told)
        self.assertIn("no worker has the key 'open-ai'", told)
        self.assertIn("assay down, then assay up", told)
        self.assertNotIn("sk-0123456789", told)
        self.assertNotIn("_API_KEY", self.lab.assay("up").err)
        self.assertEqual(self.lab.status(), before)

    def test_03_the_same_suite_is_the_same_version(self):
        first = self.lab.json("suite", "push", self.suite)
        self.assertTrue(first["created"])
        self.assertEqual((first["name"], first["version"], first["items"]), ("letters", 1, N))
        second = self.lab.json("suite", "push", self.suite)
        self.assertFalse(second["created"])
        self.assertEqual(second["version"], 1)
        self.assertEqual(second["hash"], first["hash"])
        self.assertIn("letters", self.lab.assay("suite", "list").out)
        self.assertIn("letters@1", self.lab.assay("suite", "show", "letters").out)

    def test_04_dry_run_asks_nothing(self):
        result = self.lab.assay("run", "letters", "--model", "small", "--dry-run")
        self.assertRegex(result.out, rf"items n\s+{N}\b")
        self.assertRegex(result.out, rf"calls\s+{N}\b")
        self.assertIn("tokens in", result.out)
        self.assertIn("smallest difference", result.out)
        self.assertRegex(result.out, r"2 connected, 2 can serve it")
        plan = self.lab.json("run", "letters", "--model", "small", "--dry-run", "--limit", "50", "--epochs", "2")
        self.assertEqual((plan["n"], plan["calls"]), (50, 100))
        self.assertIn("from the items' text", plan["basis"])
        self.assertGreater(plan["tokens_in_max"], plan["tokens_in_estimate"])
        self.assertIsNone(plan["tokens_out_estimate"])
        self.assertEqual(self.endpoint.stats()["asked"], 0)
        self.assertEqual(self.lab.json("runs", "list")["items"], [])

    def test_05_a_run_ends_in_a_report(self):
        result, run = self.lab.run("letters", "small")
        type(self).first = run
        report = result.out
        self.assertIn("suite letters@1", report)
        self.assertIn("model small", report)
        self.assertRegex(report, r"chance 12\.5 %")
        self.assertRegex(report, rf"140/{N}\s+70\.0 %\s+\[6\d\.\d, 7\d\.\d\]")
        for stratum in ("s0", "s1", "s2", "s3"):
            self.assertRegex(report, rf"(?m)^\s+{stratum}\s+\d+/50\s")
        self.assertRegex(report, r"(?m)^missing: none")
        self.assertRegex(report, r"[\d,]+ tokens in, 200 out")
        self.assertIn("paid twice 0", report)
        self.assertNotIn("more)", report)
        self.assertEqual(len(self.following(report)), 3, report)
        self.assertLessEqual(max(map(len, report.splitlines())), 100)
        stats = self.endpoint.stats()
        self.assertEqual((stats["asked"], stats["paid"], stats["twice"]), (N, N, 0))
        columns, summary, rows = self.lab.recount(run)
        self.assertEqual(summary, rows, columns)
        self.assertEqual(self.lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run}"), str(N))

    @staticmethod
    def following(report):
        """The commands that a report ends with; they may take several lines."""
        return [command.strip() for command in report.split("next: ", 1)[1].replace("\n", " ").split(" | ")]

    def test_06_its_suggestions_work(self):
        report, _ = self.lab.run("letters", "small")
        for command in self.following(report.out):
            if "--again" not in command:
                self.lab.assay(*command.split()[1:])

    def test_07_again_the_same_is_a_no_op(self):
        asked = self.endpoint.stats()["asked"]
        result, run = self.lab.run("letters", "small")
        self.assertEqual(run, self.first)
        self.assertIn("there already", result.err)
        self.assertIn("suite letters@1", result.out)
        self.assertEqual(self.endpoint.stats()["asked"], asked)
        attached, run = self.lab.run(self.suite, "small")  # by its file: pushed, known, attached
        self.assertEqual(run, self.first)
        self.assertEqual(self.endpoint.stats()["asked"], asked)
        self.assertEqual(len(self.lab.json("runs", "list")["items"]), 1)

    def test_07b_a_dry_run_goes_by_what_the_run_before_used(self):
        plan = self.lab.json("run", "letters", "--model", "small", "--dry-run", "--limit", "50")
        used = self.lab.run_json(self.first)["progress"]
        self.assertAlmostEqual(plan["tokens_in_estimate"], used["tokens_in"] / 4, delta=1)
        self.assertAlmostEqual(plan["tokens_out_estimate"], used["tokens_out"] / 4, delta=1)
        self.assertIn(f"as run {self.first} ", plan["basis"])
        told = self.lab.assay("run", "letters", "--model", "small", "--dry-run").out
        self.assertRegex(told, r"tokens in +about [\d]+, at most")
        self.assertRegex(told, rf"estimated +as run {self.first} of this suite and model")

    def test_08_again_measures_anew(self):
        _, run = self.lab.run("letters", "small", "--again")
        type(self).second = run
        self.assertNotEqual(run, self.first)
        stats = self.endpoint.stats()
        self.assertEqual((stats["paid"], stats["prompts"], stats["twice"]), (2 * N, N, N))

    def test_09_two_equal_runs_show_no_difference(self):
        result = self.lab.assay("compare", self.first, self.second)
        self.assertIn(f"paired on {N} of {N} items", result.out)
        self.assertIn("verdict: no evidence of a difference", result.out)
        self.assertEqual(self.lab.assay("compare", self.first, self.second, "--only", "flipped").out, "no item changed\n")
        document = self.lab.json("compare", self.first, self.second)
        self.assertTrue(document["schema"].startswith("assay."), document["schema"])

    def test_10_more_epochs_ask_only_what_is_new(self):
        before = self.endpoint.stats()["asked"]
        _, run = self.lab.run("letters", "small", "--epochs", "3")
        self.assertEqual(run, self.second)
        self.assertEqual(self.endpoint.stats()["asked"] - before, 2 * N)
        self.assertEqual(self.lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run}"), str(3 * N))
        columns, summary, rows = self.lab.recount(run)
        self.assertEqual(summary, rows, columns)
        progress = self.lab.run_json(run)["progress"]
        self.assertEqual((progress["total"], progress["done"], progress["missing"]), (3 * N, 3 * N, 0))

    def test_11_an_item_shows_what_was_asked_and_answered(self):
        shown = self.lab.assay("item", "show", self.first, "q-00003").out
        self.assertIn("Question 3 of letters: say [[D]].", shown)
        self.assertRegex(shown, r"epoch 0, retry 0: scored")
        self.assertIn("correct 1", shown)
        self.assertIn("fp-tests", self.lab.assay("item", "show", self.first, "q-00003", "--json", "--content").out)
        withheld = self.lab.assay("item", "show", self.first, "q-00003", "--json").out
        document = json.loads(withheld)
        self.assertEqual(document["results"][0]["outcome"], "scored")
        self.assertEqual(document["results"][0]["scores"][0]["value"], 1)
        for name in ("answer", "request", "response", "content", "extracted", "explanation"):
            self.assertNotIn(f'"{name}"', withheld)
        missing = self.lab.assay("item", "show", self.first, "q-0003", ok=4)
        self.assertIn("q-00", missing.err)

    def test_12_runs_are_listed_shown_and_exported(self):
        listed = self.lab.json("runs", "list")["items"]
        self.assertEqual([r["id"] for r in listed], [self.second, self.first])
        self.assertEqual({r["state"] for r in listed}, {"done"})
        self.assertEqual(self.lab.json("runs", "list", "--suite", "nothing", ok=4)["items"], [])
        self.assertIn("suite letters@1", self.lab.assay("runs", "show", self.first).out)
        lines = self.lab.assay("runs", "export", self.first).out.splitlines()
        rows = [json.loads(line) for line in lines]
        self.assertEqual([r["item"] for r in rows], [f"q-{i:05}" for i in range(N)])
        self.assertEqual(sum(r["scores"][0]["value"] for r in rows), 140)
        table = list(csv.DictReader(io.StringIO(self.lab.assay("runs", "export", self.second, "--csv").out)))
        self.assertEqual(len(table), 3 * N)
        self.assertEqual(sum(float(r["score"]) for r in table), 3 * 140)
        self.assertEqual({r["outcome"] for r in table}, {"scored"})
        self.assertEqual({(r["error_class"], r["flags"], r["metric"]) for r in table},
                         {("", "", rows[0]["scores"][0]["metric"])})

    def test_13_run_stat_is_written_once_the_run_has_ended(self):
        query = (f"SELECT n, estimate, low, high FROM assay.run_stat WHERE run_id = {self.first} AND slice = '' "
                 "AND metric = 0")
        n, estimate, low, high = wait_until(lambda: self.lab.sql(query), 20, "run_stat")[0]
        self.assertEqual((n, float(estimate)), (str(N), 0.7))
        self.assertLess(float(low), 0.7)
        self.assertGreater(float(high), 0.7)

    def test_14_it_comes_back_with_all_data_after_everything_was_killed(self):
        lab = self.lab
        rows = lab.value("SELECT count(*) FROM assay.result")
        everything = [lab.supervise()] + [lab_module.Process(p["id"]) for p in lab.status()["processes"]]
        for process in everything:
            process.kill(signal.SIGKILL)
        wait_until(lambda: not any(p.alive() for p in everything), 20, "killed")
        self.assertEqual(lab.assay("runs", "list", ok=3).code, 3)
        lab.up()
        self.assertEqual(lab.value("SELECT count(*) FROM assay.result"), rows)
        self.assertEqual([r["id"] for r in lab.json("runs", "list")["items"]], [self.second, self.first])
        self.assertIn("140/200", lab.assay("runs", "show", self.first).out)
        asked = self.endpoint.stats()["asked"]
        self.assertEqual(lab.run("letters", "small")[1], self.second)
        self.assertEqual(self.endpoint.stats()["asked"], asked)

    def test_15_down_after_supervise_was_killed_leaves_nothing(self):
        self.lab.supervise().kill(signal.SIGKILL)
        self.lab.down()
        wait_until(lambda: not processes_of(self.lab), 10, "all processes gone")
        self.lab.up()

    def test_15b_an_installation_that_was_moved_keeps_its_data(self):
        lab = self.lab
        rows = lab.value("SELECT count(*) FROM assay.result")
        lab.down()
        moved = lab.folder / "moved"
        os.rename(lab.home, moved)
        elsewhere = {"ASSAY_HOME": moved}
        try:
            told = lab.assay("up", "--workers", 1, env=elsewhere, timeout=240).err
            if os.getuid() == 0:  # else the database lies inside the home
                self.assertIn("its database came along", told)
            self.assertIn("140/200", lab.assay("runs", "show", self.first, env=elsewhere).out)
        finally:
            lab.assay("down", env=elsewhere, timeout=200)
            os.rename(moved, lab.home)
        lab.up()
        self.assertEqual(lab.value("SELECT count(*) FROM assay.result"), rows)

    def test_16_down_stops_what_it_started_and_nothing_else(self):
        lab = self.lab
        bystander = subprocess.Popen(["sleep", "600"], env={**lab.env, "ASSAY_HOME": "/tmp/elsewhere"},
                                     preexec_fn=lab_module.die_with_test)
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        self.assertGreaterEqual(len(processes_of(lab)), 5)
        lab.down()
        wait_until(lambda: not processes_of(lab), 10, f"all processes gone, still there: {processes_of(lab)}")
        self.assertIsNone(bystander.poll())
        self.assertIsNone(self.endpoint.process.poll())
        self.assertEqual(lab.assay("status", ok=3).out.split()[0], "stopped")
        lab.assay("down")
        lab.assay("run", "letters", "--model", "small", ok=3)


if __name__ == "__main__":
    unittest.main()
