"""A database that is away, too new, or read-only."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402
from lab import BUILD, LabCase, die_with_test, wait_until  # noqa: E402


class Coordinator:
    """One assay-coordinator by hand, on a database of our choice."""

    def __init__(self, lab, name, dsn):
        self.log = lab.folder / f"{name}.log"
        token = lab.write(f"{name}.token", "assay_0123456789abcdefghijklmnopqrstuvwxyz\n")
        os.chmod(token, 0o600)
        allowed = lab.write(f"{name}.allowed", "")
        self.port = free_port()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [BUILD / "assay-coordinator", "--dsn", dsn, "--listen", "tcp://127.0.0.1:0", "--http",
                 f"127.0.0.1:{self.port}", "--key", lab.folder / f"{name}.key", "--allowed", allowed,
                 "--token-file", token], env=lab.env, stdout=log, stderr=log, preexec_fn=die_with_test)

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_log(self, pattern, seconds=20):
        wait_until(lambda: re.search(pattern, self.text()), seconds, f"'{pattern}' in the log\n{self.text()}")

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Database(LabCase):
    workers = 2
    endpoint_flags = ("--latency-ms", 20)

    def coordinator(self, name, dsn):
        c = Coordinator(self.lab, name, dsn)
        self.addCleanup(c.end)
        return c

    def dsn(self, database):
        return re.sub(r"dbname=\S+", "dbname=" + database, self.lab.status()["dsn"])

    def test_gone_at_start_is_waited_for(self):
        c = self.coordinator("gone", self.dsn("later"))
        c.wait_log(r"waiting for the database.*later")
        self.assertIsNone(c.process.poll())
        status, answer = c.ready()
        self.assertEqual((status, answer["ready"]), (503, False))
        self.assertTrue(answer["why"])
        self.lab.sql("CREATE DATABASE later")
        c.wait_log(r"leading")
        self.assertEqual(c.ready()[0], 200)
        self.assertEqual(c.end(), 0)
        self.assertEqual(len(re.findall("waiting for the database", c.text())), 1)

    def test_told_to_stop_while_it_waits(self):
        c = self.coordinator("never", "host=/nowhere dbname=x user=y")
        c.wait_log("waiting for the database")
        self.assertEqual(c.end(), 0)

    def test_newer_schema_is_refused(self):
        self.lab.sql("CREATE DATABASE newer")
        c = self.coordinator("first", self.dsn("newer"))
        c.wait_log("leading")
        c.end()
        self.lab.sql("INSERT INTO assay.schema_migrations SELECT (jsonb_populate_record(m, '{\"version\": 9999}')).* "
                     "FROM assay.schema_migrations m ORDER BY m.version DESC LIMIT 1", database="newer")
        before = self.lab.sql("SELECT * FROM assay.schema_migrations", database="newer")
        c = self.coordinator("second", self.dsn("newer"))
        self.assertNotEqual(c.process.wait(20), 0)
        self.assertRegex(c.text(), r"9999")
        self.assertRegex(c.text(), r"newer")
        self.assertEqual(self.lab.sql("SELECT * FROM assay.schema_migrations", database="newer"), before)

    def test_changed_migration_is_refused(self):
        self.lab.sql("CREATE DATABASE changed")
        c = self.coordinator("third", self.dsn("changed"))
        c.wait_log("leading")
        c.end()
        self.lab.sql("UPDATE assay.schema_migrations SET checksum = '\\x00' || substr(checksum, 2)", database="changed")
        c = self.coordinator("fourth", self.dsn("changed"))
        self.assertNotEqual(c.process.wait(20), 0)
        self.assertRegex(c.text(), r"migration|schema")

    def test_read_only_server_is_said(self):
        self.lab.sql("CREATE DATABASE fixed")
        self.lab.sql("ALTER DATABASE fixed SET default_transaction_read_only = on")
        c = self.coordinator("fifth", self.dsn("fixed"))
        wait_until(lambda: re.search(r"read.only", c.text()), 20, f"'read-only' in the log\n{c.text()}")
        try:
            self.assertFalse(c.ready()[1]["ready"])
        except OSError:
            self.assertNotEqual(c.process.wait(20), 0)  # it has left, with an error

    def test_up_says_why_when_the_coordinator_will_not_start(self):
        """A database that is too new: `up` fails within seconds, not minutes, and shows the reason."""
        lab = lab_module.Lab(workers=0)
        self.addCleanup(lab.close)
        lab.up()
        lab.sql("INSERT INTO assay.schema_migrations SELECT (jsonb_populate_record(m, '{\"version\": 9999}')).* "
                "FROM assay.schema_migrations m ORDER BY m.version DESC LIMIT 1")
        lab.down()
        result = lab.assay("up", "--workers", 0, ok=1, timeout=60)
        self.assertIn("9999", result.err)
        self.assertIn("coordinator", result.err)

    def test_database_away_during_a_run_pauses_it(self):
        """Stopped, not killed: connections hang. Nothing is lost, nothing asked twice, and the run says what for."""
        lab = self.lab
        lab.add_model("m", self.endpoint.url + "/v1", concurrency=16)
        lab.assay("suite", "push", lab.write_suite(1500, name="pause"))
        self.endpoint.reset()
        run = lab.start("pause", "m")
        lab.wait_done(run, 200)
        children = [int(p) for p in pathlib.Path(f"/proc/{lab.process('postgres').pid}/task/{lab.process('postgres').pid}"
                                                 "/children").read_text().split()]
        pids = [lab.process("postgres").pid] + children
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            before = self.endpoint.stats()["paid"]
            wait_until(lambda: "away" in lab.log("coordinator"), 30, "the coordinator says that its database is away")
            wait_until(self.endpoint.is_quiet, 40, "the windows are full and nothing more is asked")
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        self.assertGreaterEqual(self.endpoint.stats()["paid"], before)
        self.assertLess(self.endpoint.stats()["paid"], 1500, "the pause came too late to prove anything")
        lab.assay("runs", "watch", run, timeout=120)
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run} AND outcome = 1"), "1500")
        stats = self.endpoint.stats()
        self.assertEqual((stats["prompts"], stats["twice"]), (1500, 0))
        columns, summary, rows = lab.recount(run)
        self.assertEqual(summary, rows, columns)


if __name__ == "__main__":
    unittest.main()
