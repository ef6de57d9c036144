"""Exit statuses of a run, each by a run that ends so, and both APIs of the provider."""
import http.server
import json
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import LabCase  # noqa: E402

N = 120
GATE = "gates:\n  - {name: release, metric: correct, rule: not_worse, margin: 0.05, alpha: 0.05}\n"


class AlwaysZ(http.server.BaseHTTPRequestHandler):
    """A model that is wrong; with `fail`, one that refuses every other request for good."""

    protocol_version = "HTTP/1.1"
    count, lock = 0, threading.Lock()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            AlwaysZ.count += 1
            fail = self.path.startswith("/fail") and AlwaysZ.count % 2
        body = {"error": {"message": "no"}} if fail else {"choices": [{"message": {"content": "Z"}, "finish_reason": "stop"}]}
        text = json.dumps(body).encode()
        self.send_response(400 if fail else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


class Statuses(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), AlwaysZ)
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{cls.server.server_port}"
        cls.lab.add_model("right", cls.endpoint.url + "/v1")
        cls.lab.add_model("wrong", url + "/v1")
        cls.lab.add_model("broken", url + "/fail/v1")

    def test_the_status_says_what_the_gate_said(self):
        lab = self.lab
        path = lab.write_suite(N, name="gated", right=1)
        with open(path, "a") as f:
            f.write(GATE)
        _, base = lab.run(path, "right")
        passed, _ = lab.run(path, "right", "--again", "--baseline", base)
        self.assertIn("gate release: pass", passed.out)
        blocked, run = lab.run(path, "wrong", "--baseline", base, ok=10)
        self.assertIn("gate release: BLOCKED", blocked.out)
        self.assertIn(f"0/{N}", blocked.out)
        # The same again is a no-op that says the same; without a baseline nobody asks the gate.
        again, same = lab.run(path, "wrong", "--baseline", base, ok=10)
        self.assertEqual(same, run)
        self.assertIn("gate release: BLOCKED", again.out)
        silent, _ = lab.run(path, "wrong")
        self.assertNotIn("gate release", silent.out)

    def test_an_incomplete_run_goes_before_its_gate(self):
        lab = self.lab
        path = lab.write_suite(N, name="halved", right=1)
        with open(path, "a") as f:
            f.write(GATE)
        _, base = lab.run(path, "right")
        result, run = lab.run(path, "broken", "--baseline", base, ok=12)
        self.assertEqual(lab.run_json(run)["state"], "incomplete")
        self.assertRegex(result.out, rf"missing: {N // 2} provider error")
        self.assertRegex(result.out, r"worst case 0\.0 %, best case 50\.0 %")
        self.assertIn("gate release: BLOCKED", result.out)

    def test_completions_are_asked_and_scored_like_chat(self):
        lab = self.lab
        lab.add_model("plain", self.endpoint.url + "/v1", provider="openai_completions")
        path = lab.write_suite(20, name="both")
        chat, _ = lab.run(path, "right")
        completions, run = lab.run(path, "plain")
        self.assertIn("14/20", chat.out)
        self.assertIn("14/20", completions.out)
        item = lab.assay("item", "show", run, "q-00003", "--json", "--content").out
        self.assertIn('"prompt', item)
        self.assertEqual(json.loads(item)["results"][0]["outcome"], "scored")


if __name__ == "__main__":
    unittest.main()
