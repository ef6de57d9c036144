"""The commands of every day beside a plain run: cancel, retry, slices, gates, probes, a terminal, an interrupt."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, Endpoint, LabCase, SHARED, wait_until  # noqa: E402


class Commands(LabCase):
    endpoint_flags = ("--latency-ms", 20)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.add_model("m", cls.endpoint.url + "/v1", concurrency=8)

    def check_recount(self, run):
        columns, summary, rows = self.lab.recount(run)
        self.assertEqual(summary, rows, columns)

    def test_a_cancelled_run_ends_keeps_what_was_asked_and_goes_on_by_retry(self):
        lab, n = self.lab, 1000
        lab.assay("suite", "push", lab.write_suite(n, name="cancel"))
        run = lab.start("cancel", "m")
        lab.wait_done(run, 50)
        told = lab.assay("runs", "cancel", run)
        self.assertRegex(told.out, rf"^run {run}  is (being )?cancelled, \d+ of {n} done")
        self.assertIn("ends and is kept", told.out)
        self.assertNotIn("ETA", told.out)
        self.assertIn(f"assay runs retry {run}", told.err)
        lab.assay("runs", "watch", run, ok=12)
        shown = lab.run_json(run)
        self.assertEqual(shown["state"], "cancelled")
        self.assertLess(shown["progress"]["done"], n)
        self.check_ended_figures(run, n)
        self.assertIn("cancelled", lab.assay("runs", "show", run).out)
        self.assertIn("ended already", lab.assay("runs", "cancel", run, ok=1).err)
        # What was under way is stored, and everything that was paid for has a row.
        wait_until(lambda: int(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run}")) >=
                   self.paid_of("cancel"), 20, "every answer that was paid for is stored")
        self.check_recount(run)
        lab.assay("runs", "retry", run)
        lab.assay("runs", "watch", run)
        self.assertEqual(lab.run_json(run)["progress"]["missing"], 0)
        self.assertEqual(lab.value(f"SELECT count(DISTINCT item_no) FROM assay.result WHERE run_id = {run}"), str(n))
        self.check_recount(run)

    def check_ended_figures(self, run, n):
        """Show, list, report and export of a run that has ended speak of the same samples."""
        lab = self.lab
        shown = lab.run_json(run)
        progress = wait_until(lambda: (lambda p: p if p["in_flight"] == 0 else None)(lab.run_json(run)["progress"]), 20,
                              "nothing is under way")
        rows = [json.loads(line) for line in lab.assay("runs", "export", run).out.splitlines()]
        late = [r for r in rows if "after_end" in r["flags"]]
        self.assertEqual((progress["done"], progress["after_end"]), (len(rows) - len(late), len(late)))
        self.assertEqual((progress["pending"], progress["missing"]), (0, progress["not_run"]))
        self.assertEqual(progress["done"] + progress["not_run"], n)
        self.assertEqual(shown["reason"], f"cancelled with {progress['done']} of {n} samples done")
        report = lab.assay("runs", "show", run).out
        self.assertIn(f"{progress['done']}/{n}", report)
        self.assertIn(f"missing: {progress['not_run']} not run", report.replace(",", ""))
        if late:
            self.assertIn(f"after the end {len(late)}", report)
        listed = next(r for r in lab.json("runs", "list", "--suite", shown["suite"])["items"] if r["id"] == run)
        self.assertEqual((listed["progress"]["done"], listed["progress"]["missing"], listed["reason"]),
                         (progress["done"], progress["missing"], shown["reason"]))

    def paid_of(self, name):
        """How many prompts of this suite the endpoint was paid for: the difference to those of other tests."""
        return self.endpoint.stats()["paid"] - getattr(self, "paid_before", 0)

    def setUp(self):
        self.paid_before = self.endpoint.stats()["paid"]

    def test_missing_samples_are_asked_again_by_retry(self):
        lab, n = self.lab, 60
        first = Endpoint()
        port = first.port
        lab.add_model("flaky", first.url + "/v1")
        first.close()
        lab.assay("suite", "push", lab.write_suite(n, name="retry"))
        result, run = lab.run("retry", "flaky", ok=12)
        self.assertRegex(result.out, r"missing: 60 provider error")
        ended = lab.run_json(run)
        self.assertEqual(ended["state"], "incomplete")
        self.assertRegex(ended["reason"], r"60 of 60 samples missing: 60 provider_error \(items q-00000, q-00001, ")
        self.assertEqual((ended["progress"]["missing"], ended["progress"]["not_run"]), (60, 0))
        second = lab.endpoint("--port", port)
        lab.assay("runs", "retry", run)
        report = lab.assay("runs", "watch", run).out
        self.assertIn("42/60", report)
        self.assertIn("missing: none", report)
        self.assertEqual(second.stats()["twice"], 0)
        self.assertEqual(lab.sql(f"SELECT retry_no, count(*) FROM assay.result WHERE run_id = {run} GROUP BY 1 ORDER BY 1"),
                         [["0", str(n)], ["1", str(n)]])
        self.check_recount(run)
        self.assertIn("nothing to retry", lab.assay("runs", "retry", run, ok=1).err)

    def test_many_runs_at_once_do_not_disturb_each_other(self):
        lab, n, count = self.lab, 100, 25
        lab.assay("suite", "push", lab.write_suite(n, name="many"))
        runs = [lab.start("many", "m", "--again") for _ in range(count)]
        for run in runs:
            self.assertIn("70/100", lab.assay("runs", "watch", run).out)
        self.assertEqual(lab.value("SELECT count(*) FROM assay.refused_result"), "0")
        self.assertEqual(self.endpoint.stats()["paid"] - self.paid_before, n * count)
        for run in runs[::5]:
            self.check_recount(run)

    def test_a_limit_draws_by_the_seed_and_a_slice_by_its_label(self):
        lab = self.lab
        lab.assay("suite", "push", lab.write_suite(100, name="parts"))

        def items(run):
            return [json.loads(line)["item"] for line in lab.assay("runs", "export", run).out.splitlines()]

        _, first = lab.run("parts", "m", "--limit", 20, "--seed", 3)
        _, same = lab.run("parts", "m", "--limit", "0.2", "--seed", 3)
        _, other = lab.run("parts", "m", "--limit", 20, "--seed", 4)
        self.assertEqual(len(items(first)), 20)
        self.assertEqual(items(first), items(same))
        self.assertNotEqual(items(first), items(other))
        self.assertEqual(lab.run("parts", "m", "--limit", "020", "--seed", 3)[1], first)
        _, slice_run = lab.run("parts", "m", "--slice", "stratum=s1")
        self.assertEqual(items(slice_run), [f"q-{i:05}" for i in range(1, 100, 4)])
        self.assertIn("stratum=s1", lab.assay("runs", "show", slice_run).out)
        listed = lab.assay("runs", "list", "--suite", "parts").out
        self.assertRegex(listed, r"(?m)^ +slice stratum=s1$")
        self.assertRegex(listed, r"(?m)^ +limit 20, seed 3$")
        self.assertLessEqual(max(map(len, listed.splitlines())), 100)
        lab.assay("run", "parts", "--model", "m", "--slice", "stratum=nothing", ok=4)
        lab.assay("run", "parts", "--model", "m", "--slice", "colour=red", ok=2)
        self.assertIn("paired on 20 of 20", lab.assay("compare", first, same).out)

    def test_a_gate_is_asked_with_a_baseline(self):
        lab = self.lab
        path = lab.write_suite(200, name="gated")
        with open(path, "a") as f:
            f.write("gates:\n  - {name: release, metric: correct, rule: not_worse, margin: 0.03, alpha: 0.05}\n")
        result, base = lab.run(path, "m")
        self.assertNotIn("gate release", result.out)
        result, _ = lab.run(path, "m", "--again", "--baseline", base)
        self.assertRegex(result.out, r"gate release: pass")
        with open(path, "a") as f:
            f.write("  - {name: hopeless, metric: correct, rule: not_worse, margin: 0.0001, alpha: 0.05}\n")
        result, _ = lab.run(path, "m", "--baseline", base, ok=None)
        self.assertEqual(result.code, 11, result.out + result.err)
        self.assertIn("gate hopeless: inconclusive", result.out)

    def test_a_probe_says_who_answers(self):
        lab = self.lab
        self.assertRegex(lab.assay("models", "probe", "m").out, r"(?s)answers.*returned model\s+m\b")
        lab.add_model("bad-401", self.endpoint.url + "/v1")
        refused = lab.assay("models", "probe", "bad-401", ok=1)
        self.assertIn("Incorrect API key", refused.out + refused.err)
        document = lab.json("models", "probe", "m")
        self.assertEqual((document["schema"], document["answers"], document["returned_model"]),
                         ("assay.probe.v1", True, "m"))
        self.assertNotIn("answer", document)
        self.assertIn("answer", lab.json("models", "probe", "m", "--content"))
        refused = lab.json("models", "probe", "bad-401", ok=1)
        self.assertEqual((refused["answers"], refused["error_class"]), (False, "auth"))
        self.assertNotIn("evidence", refused)
        self.assertIn("Incorrect API key", lab.json("models", "probe", "bad-401", "--content", ok=1)["evidence"])
        # Probes are suites and runs too, but nobody's: lists show them when asked to.
        self.assertNotIn("assay-probe", lab.assay("suite", "list").out + lab.assay("suite", "list", "--json").out)
        self.assertIn("assay-probe", lab.assay("suite", "list", "--all").out)
        self.assertNotIn("assay-probe", lab.assay("runs", "list").out + lab.assay("runs", "list", "--json").out)
        self.assertIn("assay-probe", lab.assay("runs", "list", "--all").out)

    def test_an_interrupted_probe_is_cancelled(self):
        lab = self.lab
        slow = lab.endpoint("--latency-ms", 60000)
        lab.add_model("sleepy", slow.url + "/v1")
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            p = subprocess.Popen([BUILD / "assay", "models", "probe", "sleepy"], env=lab.env, stderr=subprocess.PIPE,
                                 stdin=subprocess.DEVNULL, text=True)
            wait_until(lambda: [r for r in lab.json("runs", "list", "--all", "--model", "sleepy", ok=None)["items"]
                                if r["state"] == "running"], 20, "the probe runs")
            p.send_signal(number)
            self.assertEqual(p.wait(20), status)
            self.assertIn("the probe was cancelled", p.stderr.read())
            p.stderr.close()
            wait_until(lambda: not [r for r in lab.json("runs", "list", "--all", "--model", "sleepy")["items"]
                                    if r["state"] == "running"], 20, "the probe's run has ended")

    def test_the_keys_of_workers_are_added_listed_and_revoked(self):
        lab = self.lab
        listed = {k["name"]: k["key"] for k in lab.json("workers", "keys")["items"]}
        self.assertEqual(sorted(listed), ["worker-1", "worker-2"])
        key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
        self.assertIn("gpu-7  added", lab.assay("workers", "keys", "add", "gpu-7", key).out)
        self.assertIn(key, lab.assay("workers", "keys", "list").out)
        for name, given, status, text in (
                ("gpu-8", "short", 2, "KEY: 'short' is neither"), ("gpu-8", key, 1, "key: it is there already, as that "
                "of 'gpu-7'"), ("gpu-7", listed["worker-1"], 1, "name: there is a key of 'gpu-7' already"),
                ("two words", key, 2, "name: 'two words' is no name")):
            refused = lab.assay("workers", "keys", "add", name, given, ok=status)
            self.assertIn(text, refused.err)
            self.assertNotIn("keys/allowed", refused.err)
        self.assertIn("gpu-7  revoked", lab.assay("workers", "keys", "revoke", "gpu-7").out)
        self.assertIn("no worker key 'gpu-7'", lab.assay("workers", "keys", "revoke", "gpu-7", ok=4).err)
        # A worker's own key file will do: what is public of it is sent.
        lab.assay("workers", "keys", "revoke", "worker-2")
        self.assertIn("worker-2  added", lab.assay("workers", "keys", "add", "worker-2",
                                                   lab.home / "keys" / "worker-2").out)
        for words in (("add",), ("add", "x"), ("revoke",), ("list", "x"), ("drop", "x")):
            lab.assay("workers", "keys", *words, ok=2)
        self.wait_connected(["worker-1", "worker-2"])

    def test_a_worker_whose_key_is_revoked_is_named_and_stays_out_until_it_is_added_again(self):
        lab, file = self.lab, str(self.lab.home / "keys" / "worker-2")
        back = f"assay workers keys add worker-2 {file}"
        self.assertIn(back, lab.assay("workers", "keys", "revoke", "worker-2").err)
        self.addCleanup(self.wait_connected, ["worker-1", "worker-2"])
        self.addCleanup(lab.assay, "workers", "keys", "add", "worker-2", file)
        self.wait_connected(["worker-1"])
        self.assertIn("worker-2 is not connected: its key is revoked", lab.assay("up", timeout=60).err)
        self.assertIn("refused: its key is revoked", lab.assay("status").out)
        self.assertRegex(lab.assay("doctor").out, r"(?m)^warning +worker-2 +refused: its key is revoked")
        lab.assay("down")
        told = lab.assay("up", "--workers", 2, timeout=60).err
        self.assertIn("worker-2 is not connected", told)
        self.assertNotIn("worker-1 is not connected", told)
        self.wait_connected(["worker-1"])
        lab.assay("workers", "keys", "revoke", "worker-1")
        self.addCleanup(lab.assay, "workers", "keys", "add", "worker-1", lab.home / "keys" / "worker-1")
        self.wait_connected([])
        self.assertIn("no worker is connected", lab.assay("up", ok=1, timeout=60).err)

    def test_a_stop_in_mid_run_says_that_it_drains_and_until_when(self):
        lab = self.lab
        slow = lab.endpoint("--latency-ms", 4000)
        lab.add_model("slow", slow.url + "/v1", concurrency=8)
        lab.assay("suite", "push", lab.write_suite(50, name="drains"))
        run = lab.start("drains", "slow")
        wait_until(lambda: lab.run_json(run)["progress"]["in_flight"] > 0, 20, "asks are under way")
        time.sleep(0.5)
        told = lab.assay("down").err
        lab.assay("up", "--workers", 2)
        self.assertRegex(told, r"draining: (\d+ asks? under way|what is under way).* until .* at most")
        lab.assay("runs", "cancel", run)
        lab.assay("runs", "watch", run, ok=12)

    def test_a_coordinator_that_was_killed_does_not_blame_the_database(self):
        lab, told = self.lab, []

        def answers():
            result = lab.assay("runs", "list", "--all", ok=None)
            told.append(result.err)
            return result.code == 0
        lab.process("coordinator").kill()
        self.assertFalse(answers())
        wait_until(answers, 30, "it answers again")
        self.assertNotIn("database is away", "".join(told))
        self.wait_connected(["worker-1", "worker-2"])

    def wait_connected(self, names):
        def connected():
            return sorted(w["name"] for w in self.lab.json("workers", "list")["items"] if w["state"] == "connected")
        wait_until(lambda: connected() == names, 30, f"connected: {names}")

    def test_a_key_that_is_revoked_while_connected_ends_the_session_and_its_samples_go_elsewhere(self):
        lab, n = self.lab, 400
        key = {k["name"]: k["key"] for k in lab.json("workers", "keys")["items"]}["worker-2"]
        self.addCleanup(self.wait_connected, ["worker-1", "worker-2"])
        lab.assay("suite", "push", lab.write_suite(n, name="revoked"))
        run = lab.start("revoked", "m")
        lab.wait_done(run, 20)
        lab.assay("workers", "keys", "revoke", "worker-2")
        self.addCleanup(lab.assay, "workers", "keys", "add", "worker-2", key)
        self.wait_connected(["worker-1"])
        lab.assay("runs", "watch", run)
        self.assertEqual(lab.run_json(run)["progress"]["done"], n)
        self.check_recount(run)

    def test_a_suite_is_shown_with_its_prompt_its_scorers_and_n_of_each_slice(self):
        lab = self.lab
        lab.assay("suite", "push", lab.write_suite(50, name="shown", strata=3, system="You answer.", epochs=2))
        document = lab.json("suite", "show", "shown")
        self.assertEqual(document["settings"]["generate"]["prompt"], "{{input}}")
        self.assertEqual(document["settings"]["scores"][0]["type"], "exact")
        self.assertEqual({p["slice"]: p["items"] for p in document["slice_items"]},
                         {"task=tests.shown": 50, "stratum=s0": 17, "stratum=s1": 17, "stratum=s2": 16})
        self.assertEqual(document["provenance"], [{"kind": "synthetic", "items": 50}])
        shown = lab.assay("suite", "show", "shown").out
        for piece in (r"system +You answer\.", r"prompt +\{\{input\}\}", r"generate +.*max_tokens 8", r"epochs 2",
                      r"scores +correct: exact, .*\(primary\)", r"n 17 +stratum=s0", r"n 50 +synthetic",
                      r"of 1 version\)"):
            self.assertRegex(shown, piece)

    def test_text_of_a_model_is_data_on_the_terminal(self):
        lab = self.lab
        item = {"id": "esc", "input": "say [[\u001b[31mRED\u0007]]", "target": "x"}
        path = lab.write_suite(1, name="escape")
        lab.write("escape/items.jsonl", json.dumps(item) + "\n")
        _, run = lab.run(path, "m")
        shown = lab.assay("item", "show", run, "esc", "--color", "always").out
        self.assertIn("RED", shown)
        self.assertNotIn("\x1b[31m", shown)
        self.assertNotIn("\x07", shown)

    def test_an_interrupt_leaves_the_run_alone(self):
        lab = self.lab
        lab.assay("suite", "push", lab.write_suite(600, name="interrupt"))
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            p = subprocess.Popen([BUILD / "assay", "run", "interrupt", "--model", "m", "--again"], env=lab.env, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            line = p.stderr.readline()
            run = int(re.search(r"run (\d+)", line)[1])
            lab.wait_done(run, 20)
            p.send_signal(number)
            out, err = p.communicate(timeout=20)
            self.assertEqual(p.returncode, status, err)
            self.assertIn("goes on", err)
            self.assertEqual(out, "")
            lab.assay("runs", "watch", run)

    def test_a_terminal_has_one_line_that_is_redrawn(self):
        lab = self.lab
        lab.assay("suite", "push", lab.write_suite(400, name="terminal"))
        master, slave = pty.openpty()
        p = subprocess.Popen([BUILD / "assay", "run", "terminal", "--model", "m"], env={**lab.env, "TERM": "xterm"},
                             stdout=subprocess.PIPE, stderr=slave, stdin=subprocess.DEVNULL)
        os.close(slave)
        seen = b""
        while p.poll() is None or select.select([master], [], [], 0)[0]:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    seen += os.read(master, 65536)
                except OSError:
                    break
        os.close(master)
        report = p.stdout.read().decode()
        p.stdout.close()
        p.wait(20)
        self.assertIn("280/400", report)
        frames = re.findall(rb"\r\[[#-]{20}\] \d+/400  \d+%", seen)
        self.assertGreater(len(frames), 2, seen)
        self.assertRegex(seen.decode(), r"400/400  100%")

    def test_what_needs_no_server_works_without_one(self):
        lab = self.lab
        nowhere = {"ASSAY_HOME": lab.folder / "nowhere"}
        folder = lab.folder / "init"
        folder.mkdir()
        lab.assay("init", cwd=folder, env=nowhere)
        self.assertIn("already", lab.assay("init", cwd=folder, env=nowhere, ok=2).err)
        self.assertIn("3 items", lab.assay("suite", "check", "suite.yaml", cwd=folder, env=nowhere).out)
        self.assertRegex(lab.assay("version", env=nowhere).out, r"^assay \d+\.\d+\.\d+")
        completion = lab.assay("completion", "bash", env=nowhere).out
        subprocess.run(["bash", "-n"], input=completion, text=True, check=True)
        self.assertIn("examples", lab.assay("run", "--help", env=nowhere).out.lower())
        started = time.monotonic()
        lab.assay("--help", env=nowhere)
        self.assertLess(time.monotonic() - started, 1)

    @unittest.skipUnless((SHARED / "vectors").exists(), "ASSAY_SHARED is absent")
    def test_the_shipped_statistics_agree_with_the_reference(self):
        names = ("clt_mean", "clustered_mean", "proportion_ci", "wilson_clustered", "paired_diff", "mcnemar",
                 "multiple_testing")
        vectors = [SHARED / "vectors" / "stats" / f"{name}.json" for name in names]
        out = self.lab.assay("stats", "check", *vectors).out
        self.assertRegex(out.splitlines()[-1], r"^(\d{2,}) cases, \1 passed, 0 failed$")
        broken = self.lab.write("unknown.json", vectors[0].read_text().replace("clt_mean", "no_such_method"))
        self.assertIn("not known", self.lab.assay("stats", "check", broken, ok=1).out)

    def test_doctor_workers_and_logs_say_that_all_is_well(self):
        lab = self.lab
        doctor = lab.assay("doctor").out
        self.assertRegex(doctor, r"(?m)^\d+ good, \d+ warnings?, 0 bad")
        self.assertEqual(lab.json("doctor")["schema"], "assay.doctor.v1")
        workers = lab.json("workers", "list")["items"]
        self.assertEqual([w["state"] for w in workers], ["connected", "connected"])
        self.assertIn("leading", lab.assay("logs", "coordinator", "-n", 10000).out)
        lab.assay("logs", "nobody", ok=4)
        metrics = lab.get("/metrics", token=False)
        for name in ("assay_samples_leased_total", "assay_workers_connected", "assay_results_inserted_total"):
            self.assertIn(name, metrics)
        self.assertEqual(json.loads(lab.get("/readyz", token=False))["ready"], True)


if __name__ == "__main__":
    unittest.main()
