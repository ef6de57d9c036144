"""The API as programs use it: what is open and what wants a token, and money from the plan to the report."""
import json
import os
import re
import sys
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import LabCase  # noqa: E402

N = 100
PRICE_IN, PRICE_OUT = 3.0, 15.0  # dollars for a million tokens
NANO = 1_000_000_000


class Api(LabCase):
    endpoint_flags = ("--latency-ms", 5, "--error-share", 0.1)

    def ask(self, path, token=None, method="GET"):
        """Status, media type and body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.lab.status()["url"] + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers.get_content_type(), answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.headers.get_content_type(), e.read().decode()

    def test_four_routes_are_open_and_all_others_want_the_token(self):
        token = (self.lab.home / "token").read_text().strip()
        self.assertEqual(self.ask("/healthz"), (200, "text/plain", "ok\n"))
        status, kind, body = self.ask("/readyz")
        self.assertEqual((status, kind, json.loads(body)), (200, "application/json", {"ready": True, "workers": 2, "why": []}))
        status, kind, body = self.ask("/version")
        version = json.loads(body)
        self.assertEqual((status, kind, set(version)), (200, "application/json", {"version", "protocol", "schema"}))
        self.assertIn(version["version"], self.lab.assay("version").out)
        self.assertEqual((version["schema"], version["protocol"]), ("assay.version.v1", 1))
        status, kind, body = self.ask("/metrics")
        self.assertEqual((status, kind), (200, "text/plain"))
        self.assertRegex(body, r"(?m)^# TYPE assay_workers_connected gauge$")
        self.assertRegex(body, r"(?m)^assay_workers_connected 2$")
        for line in body.splitlines():
            self.assertRegex(line, r"^(# (HELP|TYPE) [a-z_0-9]+ .*|[a-z_0-9]+(\{.*\})? \S+)$")
        for path in ("/api/v1/suites", "/api/v1/models", "/api/v1/runs", "/api/v1/workers", "/api/v1/workers/keys",
                     "/api/v1/health", "/api/v1/compare?base=1&cand=2", "/api/v1/nothing"):
            with self.subTest(path):
                for wrong in (None, "assay_wrong", token[:-1], token + "x"):
                    status, kind, body = self.ask(path, wrong)
                    self.assertEqual((status, kind, json.loads(body)["code"]),
                                     (401, "application/problem+json", "unauthorised"))
                    self.assertNotIn(token, body)
                self.assertNotEqual(self.ask(path, token)[0], 401)

    def test_what_is_said_of_money_is_what_the_tokens_cost(self):
        lab = self.lab
        text = "\n".join(["schema: assay.models.v1", "models:", "  - name: priced", "    provider: openai",
                          f"    base_url: {self.endpoint.url}/v1", "    model: priced", "    params: {temperature: 0}",
                          f"    price_per_mtok: {{input: {PRICE_IN}, output: {PRICE_OUT}}}", ""])
        lab.assay("models", "add", lab.write("priced.yaml", text))
        lab.assay("suite", "push", lab.write_suite(N, name="money"))
        plan = lab.json("run", "money", "--model", "priced", "--dry-run")
        self.assertEqual((plan["n"], plan["calls"]), (N, N))
        self.assertAlmostEqual(plan["cost_nanousd_max"], (plan["tokens_in_max"] * PRICE_IN + plan["tokens_out_max"] * PRICE_OUT)
                               / 1e6 * NANO, delta=2)
        self.assertEqual(plan["tokens_out_max"], N * 8)
        self.assertRegex(lab.assay("run", "money", "--model", "priced", "--dry-run").out, r"\$0\.\d+")
        result, run = lab.run("money", "priced")
        progress = lab.run_json(run)["progress"]
        self.assertGreater(self.endpoint.stats()["failed"], 0)  # failures cost nothing and are asked again
        self.assertEqual(progress["tokens_out"], N)
        cost = (progress["tokens_in"] * PRICE_IN + progress["tokens_out"] * PRICE_OUT) / 1e6 * NANO
        self.assertAlmostEqual(progress["cost_nanousd"], cost, delta=N)  # rounded for each sample
        self.assertLessEqual(progress["cost_nanousd"], plan["cost_nanousd_max"])
        self.assertEqual(lab.value(f"SELECT sum(cost) FROM assay.result WHERE run_id = {run}"), str(progress["cost_nanousd"]))
        shown = float(re.search(r"\$(\d+\.\d+)", result.out)[1])
        self.assertAlmostEqual(shown, cost / NANO, delta=max(0.01, cost / NANO * 0.05))


if __name__ == "__main__":
    unittest.main()
