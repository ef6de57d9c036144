"""A disk that is full: under the tables, under the whole database with its log, under a worker's outbox.

The part that met it stops taking work and says so; nothing is lost, nothing is asked twice, and it goes on by itself."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as lab_module  # noqa: E402
from lab import Lab, LabCase, SmallDisk, wait_until  # noqa: E402

FULL = r"(?i)no space left|disk full|53100"
N, CALLS = 600, 16


class Full(unittest.TestCase):
    def check_whole(self, lab, endpoint, run, n):
        """Every sample has its result, and the endpoint was asked for each once."""
        lab.assay("runs", "watch", run, timeout=180)
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run} AND outcome = 1"), str(n))
        stats = endpoint.stats()
        self.assertEqual((stats["prompts"], stats["twice"]), (n, 0))
        self.assertEqual(lab.value("SELECT count(*) FROM assay.refused_result"), "0")
        columns, summary, rows = lab.recount(run)
        self.assertEqual(summary, rows, columns)


class TablesFull(LabCase, Full):
    endpoint_flags = ("--latency-ms", 10)

    def test_tables_without_room_stop_the_commits_and_go_on_when_there_is_room(self):
        lab = self.lab
        disk = SmallDisk(self, lab.folder / "small", 24)
        os.chmod(lab.folder, 0o755)
        data = disk.place / "data"
        data.mkdir()
        owner = os.stat("/var/lib/assay/" + lab_module.home_id(lab.home))
        os.chown(data, owner.st_uid, owner.st_gid)
        lab.add_model("m", self.endpoint.url + "/v1", concurrency=CALLS)
        lab.run(lab.write_suite(5, name="first"), "m")  # makes the partitions
        lab.sql(f"CREATE TABLESPACE small LOCATION '{data}'")
        for table in ("result", "result_score", "transcript", "attempt"):
            lab.sql(f"ALTER TABLE assay.{table}_p0 SET TABLESPACE small")
        lab.assay("suite", "push", lab.write_suite(N, name="full"))
        self.endpoint.reset()
        disk.fill()
        run = lab.start("full", "m")
        try:
            wait_until(lambda: re.search(FULL, lab.log("coordinator")), 30,
                       "the coordinator says that the disk is full")
            self.assertLess(lab.run_done(run), N)
        finally:
            disk.make_room()
        self.check_whole(lab, self.endpoint, run, N)
        for table in ("result", "result_score", "transcript", "attempt"):
            lab.sql(f"ALTER TABLE assay.{table}_p0 SET TABLESPACE pg_default")
        lab.sql("DROP TABLESPACE small")


class DatabaseFull(Full):
    def test_a_database_that_cannot_write_its_log_comes_back_with_everything(self):
        """PostgreSQL stops at once when its log finds no room; it is started again and again until there is some."""
        if os.getuid() != 0:
            self.skipTest("the embedded database lies in ASSAY_HOME, no mount of a tmpfs here")
        lab = Lab(workers=2)
        self.addCleanup(lab.close)
        lab.up()
        lab.down()
        data = pathlib.Path("/var/lib/assay/" + lab_module.home_id(lab.home))
        kept = lab.folder / "kept"
        shutil.copytree(data, kept, symlinks=True)
        owner = os.stat(data)
        self.addCleanup(shutil.rmtree, data, True)
        disk = SmallDisk(self, data, 220, f"mode=700,uid={owner.st_uid},gid={owner.st_gid}")
        self.addCleanup(lab.close)  # before the disk goes
        subprocess.run(["cp", "-a", f"{kept}/.", str(data)], check=True)
        subprocess.run(["chown", "-R", f"{owner.st_uid}:{owner.st_gid}", str(data)], check=True)
        lab.up()
        endpoint = lab.endpoint("--latency-ms", 20)
        lab.add_model("m", endpoint.url + "/v1", concurrency=CALLS)
        lab.assay("suite", "push", lab.write_suite(N, name="log"))
        run = lab.start("log", "m")
        lab.wait_done(run, 50)
        before = lab.process("postgres").pid
        disk.fill()
        try:
            wait_until(lambda: self.log_is_full(lab), 30, "the log of the database is full")
            self.assertLess(lab.run_done(run), N)
            wait_until(lambda: "database away" in lab.log("coordinator"), 30, "the coordinator says so")
            self.assertTrue(lab.process("coordinator").alive())
        finally:
            disk.make_room()
        wait_until(lambda: lab.run_done(run) > 0, 60, f"the database is back (it was process {before})")
        self.check_whole(lab, endpoint, run, N)

    @staticmethod
    def log_is_full(lab):
        """Asks for a new file of the log until PostgreSQL finds no room for one."""
        try:
            lab.sql("SELECT pg_switch_wal() FROM (SELECT pg_logical_emit_message(false, 'x', repeat('y', 1000000))) m")
        except AssertionError:
            pass
        return "PANIC" in lab.log("postgres")


class OutboxFull(Full):
    def setUp(self):
        self.lab = Lab(workers=0)
        self.addCleanup(self.lab.close)
        self.disk = SmallDisk(self, self.lab.folder / "disk", 8)
        self.addCleanup(self.lab.close)
        self.lab.up()
        self.endpoint = self.lab.endpoint("--latency-ms", 30)
        self.lab.add_model("m", self.endpoint.url + "/v1", concurrency=CALLS)

    def worker(self):
        return self.lab.own_worker("own", "allowed_hosts: ['*']\nallow_private: true\n", "--state", self.disk.place / "state")

    def test_a_worker_whose_outbox_has_no_room_asks_nothing_more_until_there_is_some(self):
        lab, endpoint = self.lab, self.endpoint
        worker = self.worker()
        lab.assay("suite", "push", lab.write_suite(N, name="outbox"))
        run = lab.start("outbox", "m")
        lab.wait_done(run, 50)
        self.disk.fill()
        try:
            wait_until(lambda: "outbox cannot be written" in worker.log(), 20, "the worker says so")
            wait_until(endpoint.is_quiet, 20, "nothing more is asked")
            asked = endpoint.stats()["asked"]
            self.assertLess(asked, N)
            self.assertIn("No space left", worker.log())
            self.assertEqual(lab.run_json(run)["state"], "running")
            wait_until(lambda: [w["cause"] for w in lab.run_json(run)["waiting_for"]] == ["worker_disk"], 20,
                       "the run says what it waits for")
            self.assertEqual([w["state"] for w in lab.json("workers", "list")["items"]], ["disk fails"])
            self.assertEqual(endpoint.stats()["asked"], asked)
        finally:
            self.disk.make_room()
        wait_until(lambda: "outbox can be written again" in worker.log(), 20, "the worker goes on")
        self.check_whole(lab, endpoint, run, N)
        self.assertEqual(lab.run_json(run)["paid_twice"]["count"], 0)
        self.assertEqual(worker.stop(), 0)

    def test_killed_with_a_full_disk_it_has_what_it_had_kept(self):
        lab, endpoint = self.lab, self.endpoint
        worker = self.worker()
        lab.assay("suite", "push", lab.write_suite(N, name="killed"))
        run = lab.start("killed", "m")
        lab.wait_done(run, 50)
        self.disk.fill()
        wait_until(lambda: "outbox cannot be written" in worker.log() and endpoint.is_quiet(), 20, "it has stopped")
        worker.close()
        self.disk.make_room()
        worker.start()
        lab.assay("runs", "watch", run, timeout=180)
        self.assertEqual(lab.value(f"SELECT count(*) FROM assay.result WHERE run_id = {run} AND outcome = 1"), str(N))
        # What was answered while nothing could be kept is asked again: what was under way, and what took a slot before the
        # first failure was known.
        self.assertLessEqual(endpoint.stats()["twice"], 2 * CALLS)
        paid = lab.run_json(run)["paid_twice"]
        self.assertLessEqual(paid["count"], endpoint.stats()["twice"])
        self.assertLessEqual(endpoint.stats()["twice"], paid["count"] + paid["at_most_more"])


if __name__ == "__main__":
    unittest.main()
