"""A sample that kills what serves it is set aside with its evidence, and nobody who was in flight beside it is."""
import http.server
import json
import os
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import BUILD, Lab, Process, wait_until  # noqa: E402

POISON, N, AT, IN_FLIGHT, END_S = "[[poison]]", 60, 20, 16, 200
QUARANTINED, SCORED, HOST_FAILED, DIED, LOST = 5, 1, 17, 19, 20


def write_suite(lab, name):
    """N items, of which the one numbered AT is poison."""
    lines = []
    for i in range(N):
        said = POISON if i == AT else "[[A]]"
        lines.append(json.dumps({"id": f"q-{i:03}", "input": f"Question {i} of {name}: say {said}.", "target": "A"}))
    lab.write(f"{name}/items.jsonl", "\n".join(lines) + "\n")
    return lab.write(f"{name}/suite.yaml", "\n".join(
        ["schema: assay.suite.v1", f"name: {name}", f"task: tests.{name}", "items: [items.jsonl]", "generate:",
         '  prompt: "{{input}}"', "  temperature: 0", "scores:", "  - {name: correct, type: exact}", ""]))


class Poison(unittest.TestCase):
    def check_set_aside(self, lab, run, error_class):
        """One row is quarantined and says why; all others have a score."""
        shown = lab.run_json(run)
        rows = lab.sql(f"SELECT item_no, outcome FROM assay.result WHERE run_id = {run} ORDER BY 1")
        self.assertEqual(len(rows), N, (shown, lab.logs()))
        self.assertEqual([r for r in rows if r[1] != str(SCORED)], [[str(AT), str(QUARANTINED)]],
                         (lab.sql(f"SELECT item_no, error_class, latency_ms, convert_from(evidence, 'UTF8') FROM "
                                  f"assay.attempt WHERE run_id = {run} ORDER BY at"), lab.logs()))
        self.assertIn("1 quarantined", shown["reason"] or "", shown)
        item = lab.json("item", "show", run, f"q-{AT:03}")
        self.assertEqual((item["results"][0]["outcome"], item["results"][0]["error_class"]), ("quarantined", error_class))
        self.assertGreaterEqual(len(item["attempts"]), 5)
        self.assertIn("died 3 times while it ran alone", lab.value(
            f"SELECT convert_from(evidence, 'UTF8') FROM assay.transcript WHERE run_id = {run} AND item_no = {AT}"))

    def wait_end(self, lab, run):
        wait_until(lambda: lab.run_state(run) not in ("queued", "running", None), END_S, f"the end of run {run}",
                   each=0.2)


class PoisonForAServer(Poison):
    def setUp(self):
        self.lab = Lab(workers=1)
        self.addCleanup(self.lab.close)
        self.lab.up()
        worker = self.lab.process("worker-1")
        self.lab.write(self.lab.home / "worker-1/worker.yaml", "\n".join([
            "schema: assay.worker.v1", "commands:", f"  frail:\n    path: {BUILD}/tests/endpoint/endpoint",
            f'    args: [--port, "{{port}}", --latency-ms, "150", --die-on, "{POISON}"]', "hosts: [frail]", ""]))
        self.assertTrue(worker.kill())  # it comes back with the new file
        wait_until(lambda: self.lab.process("worker-1").start != worker.start and
                   self.lab.process("worker-1").alive(), 30, "the worker is back")
        self.lab.assay("models", "add", self.lab.write("frail.yaml", "\n".join([
            "schema: assay.models.v1", "models:", "  - name: frail", "    provider: openai",
            f"    host: {{command: frail, health: /health, ready_s: 20, slots: {IN_FLIGHT}}}",
            f"    params: {{temperature: 0}}", f"    limits: {{concurrency: {IN_FLIGHT}}}", ""])))

    def test_a_sample_that_kills_its_model_server_is_set_aside_alone(self):
        lab = self.lab
        lab.assay("suite", "push", write_suite(lab, "server"))
        run = lab.start("server", "frail")
        self.wait_end(lab, run)
        self.check_set_aside(lab, run, "host_failed")
        deaths = lab.sql(f"SELECT item_no, error_class, convert_from(evidence, 'UTF8') FROM assay.attempt "
                         f"WHERE run_id = {run} AND item_no = {AT}")
        self.assertGreaterEqual(len(deaths), 3)
        self.assertTrue(all(d[1] == str(HOST_FAILED) for d in deaths), deaths)
        self.assertEqual(lab.log("worker-1").count("signal 9 (KILL)"), len(deaths), lab.log("worker-1"))


class Server(http.server.BaseHTTPRequestHandler):
    """Answers after a moment; asked for poison it kills the process that asks."""

    protocol_version = "HTTP/1.1"
    killed = 0

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if POISON in body:
            type(self).killed += kill_peer(self.client_address[1])
            return
        time.sleep(0.2)
        answer = json.dumps({"model": "m", "choices": [{"index": 0, "finish_reason": "stop",
                                                        "message": {"role": "assistant", "content": "A"}}],
                             "usage": {"prompt_tokens": 1, "completion_tokens": 1}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def kill_peer(port):
    """SIGKILL to the assay-worker that holds the socket bound to this local port."""
    inode = next((line.split()[9] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
                  if line.split()[1] == f"0100007F:{port:04X}"), None)
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (proc / "comm").read_text().strip() != "assay-worker":
                continue
            if any(os.readlink(fd) == f"socket:[{inode}]" for fd in (proc / "fd").iterdir()):
                os.kill(int(proc.name), signal.SIGKILL)
                return 1
        except OSError:
            continue  # it ended meanwhile
    return 0


class PoisonForAWorker(Poison):
    def setUp(self):
        self.lab = Lab(workers=3)
        self.addCleanup(self.lab.close)
        Server.killed = 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # askers die on purpose
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.lab.up()

    def test_a_sample_that_kills_its_worker_is_set_aside_alone(self):
        lab = self.lab
        lab.add_model("deadly", f"http://127.0.0.1:{self.server.server_address[1]}/v1", concurrency=IN_FLIGHT)
        lab.assay("suite", "push", write_suite(lab, "worker"))
        run = lab.start("worker", "deadly")
        self.wait_end(lab, run)
        self.check_set_aside(lab, run, "lost")
        # Two deaths in company make a suspect; one more at most where the first was not known to have been its.
        self.assertIn(Server.killed, range(4, 7), lab.logs())


if __name__ == "__main__":
    unittest.main()
