"""Bad input of every kind: a clear error that names the place, a typed outcome, and nothing lost or half done."""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, LabCase  # noqa: E402

SUITE = """schema: assay.suite.v1
name: bad
task: tests.bad
items: [items.jsonl]
generate:
  prompt: "{{input}}"
  temperature: 0
  max_tokens: 8
scores:
  - {name: correct, type: exact}
"""
GOOD = '{"id": "a", "input": "one", "target": "A"}\n{"id": "b", "input": "two", "target": "B"}\n'


def item(**more):
    return json.dumps({"id": "c", "input": "three", "target": "C", **more}) + "\n"


# name, suite.yaml, items.jsonl, what the error must match: file:line:column and what is wrong
SUITES = [
    ("unknown key", SUITE + "colour: red\n", GOOD, r"suite\.yaml:11:1: .*colour"),
    ("unknown key below", SUITE.replace("  temperature: 0", "  temprature: 0"), GOOD, r"suite\.yaml:7:3: .*temprature"),
    ("wrong type", SUITE.replace("temperature: 0", "temperature: warm"), GOOD, r"suite\.yaml:7:\d+: .*temperature"),
    ("duplicate key", SUITE + "name: twice\n", GOOD, r"suite\.yaml:11:\d+: .*name"),
    ("a tab", SUITE.replace("  temperature", "\ttemperature"), GOOD, r"suite\.yaml:7:1: .*tab"),
    ("no such scorer", SUITE.replace("type: exact", "type: exakt"), GOOD, r"suite\.yaml:10:\d+: .*exakt.*exact"),
    ("NaN chance", SUITE.replace("type: exact", "type: exact, chance: .nan"), GOOD, r"suite\.yaml:10:\d+: .*chance"),
    ("bad UTF-8 in YAML", SUITE.encode() + b"# \xff\n", GOOD, r"suite\.yaml:11:3: .*UTF-8"),
    ("unknown variable", SUITE.replace("{{input}}", "{{inptu}}"), GOOD, r"items\.jsonl:1:\d+: .*inptu"),
    ("variable missing in an item", SUITE.replace("{{input}}", "{{word}}"),
     '{"id": "a", "input": "x", "target": "A", "vars": {"word": "w"}}\n{"id": "b", "input": "x", "target": "B"}\n',
     r"items\.jsonl:2:\d+: .*word"),
    ("unknown key in an item", SUITE, GOOD + item(colour="red"), r"items\.jsonl:3:\d+: .*colour"),
    ("wrong type in an item", SUITE, GOOD + item(input=7), r"items\.jsonl:3:\d+: .*input"),
    ("duplicate id", SUITE, GOOD + item(id="a"), r"items\.jsonl:3:\d+: .*'a'.*items\.jsonl:1"),
    ("missing target", SUITE, GOOD + '{"id": "c", "input": "three"}\n', r"items\.jsonl:3:\d+: .*target"),
    ("missing id", SUITE, GOOD + '{"input": "three", "target": "C"}\n', r"items\.jsonl:3:\d+: .*id"),
    ("bad UTF-8", SUITE, GOOD.encode() + b'{"id": "c", "input": "\xff\xfe", "target": "C"}\n', r"items\.jsonl:3:\d+: .*UTF-8"),
    ("NUL", SUITE, GOOD.encode() + b'{"id": "c", "input": "a\0b", "target": "C"}\n', r"items\.jsonl:3:\d+: .*"),
    ("escaped NUL", SUITE, GOOD + '{"id": "c", "input": "a\\u0000b", "target": "C"}\n', r"items\.jsonl:3:\d+: .*(NUL|U\+0000|u0000)"),
    ("not JSON", SUITE, GOOD + '{"id": "c", "input": "three" "target": "C"}\n', r"items\.jsonl:3:\d+: "),
    ("cut short", SUITE, GOOD + '{"id": "c", "inp', r"items\.jsonl:3:\d+: "),
    ("deep nesting", SUITE, GOOD + '{"id": "c", "input": ' + "[" * 100000 + "]" * 100000 + "}\n", r"items\.jsonl:3:\d+: "),
    ("NaN weight", SUITE, GOOD + item(weight=0).replace(": 0}", ": NaN}"), r"items\.jsonl:3:\d+: "),
    ("infinite weight", SUITE, GOOD + item(weight=0).replace(": 0}", ": 1e999}"), r"items\.jsonl:3:\d+: "),
    ("negative weight", SUITE, GOOD + item(weight=-1), r"items\.jsonl:3:\d+: .*weight"),
    ("empty file", SUITE, "", r"items\.jsonl:1(:1)?: .*no items"),
    ("no such file", SUITE.replace("items.jsonl", "itms.jsonl"), GOOD, r"itms\.jsonl: "),
    ("empty suite", "", GOOD, r"suite\.yaml:1:1: "),
]


class BadSuites(LabCase):
    workers = 0

    def state(self):
        return (self.lab.assay("suite", "list", "--json").out,
                self.lab.sql("SELECT (SELECT count(*) FROM assay.suite), (SELECT count(*) FROM assay.suite_version), "
                             "(SELECT count(*) FROM assay.suite_item), (SELECT count(*) FROM assay.item)"))

    def refuse(self, name, suite, items, pattern, timeout=60):
        folder = "bad"
        path = self.lab.write(f"{folder}/suite.yaml", suite)
        if items is not None:
            self.lab.write(f"{folder}/items.jsonl", items)
        for command in ("check", "push"):
            with self.subTest(f"{name}: suite {command}"):
                result = self.lab.assay("suite", command, path, ok=2, timeout=timeout)
                self.assertRegex(result.err, pattern)
                self.assertEqual(result.out, "")
                self.assertLess(len(result.err), 1200)

    def test_a_wrong_suite_names_its_place_and_leaves_nothing(self):
        self.lab.assay("suite", "push", self.lab.write_suite(10, name="good"))
        before = self.state()
        for name, suite, items, pattern in SUITES:
            self.refuse(name, suite, items, pattern)
        self.assertEqual(self.state(), before)

    def test_a_line_of_100_mb_is_refused(self):
        before = self.state()
        line = b'{"id": "c", "target": "C", "input": "' + b"x" * 100_000_000 + b'"}\n'
        self.refuse("100 MB line", SUITE, GOOD.encode() + line, r"items\.jsonl:3:\d+: ")
        self.assertEqual(self.state(), before)

    def test_the_server_checks_by_itself(self):
        """A client that sends a bundle unchecked gets the same answer, and nothing is half pushed."""
        before = self.state()
        bad = GOOD + item(id="a")
        bundle = f"file {len(SUITE)} suite.yaml\n{SUITE}file {len(bad)} items.jsonl\n{bad}"
        status, body = self.post("/api/v1/suites", bundle)
        self.assertEqual(status, 422)
        self.assertRegex(body["detail"], r"items\.jsonl:3:\d+: .*'a'")
        for broken in ("", "file 10 suite.yaml\n", "file x suite.yaml\n", f"file {10**15} suite.yaml\nabc"):
            self.assertEqual(self.post("/api/v1/suites", broken)[0], 422, broken)
        self.assertEqual(self.state(), before)

    def post(self, path, body, token=True, kind="application/vnd.assay.bundle"):
        import urllib.error
        import urllib.request
        request = urllib.request.Request(self.lab.status()["url"] + path, data=body.encode(), method="POST",
                                         headers={"Content-Type": kind})
        if token:
            request.add_header("Authorization", "Bearer " + (self.lab.home / "token").read_text().strip())
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)

    def test_wrong_requests_get_a_problem_document(self):
        for path, body, status, code in (("/api/v1/runs", "not json", 422, "invalid"),
                                         ("/api/v1/runs", "[]", 422, "invalid"),
                                         ("/api/v1/runs", "{}", 422, "invalid"),
                                         ("/api/v1/runs", '{"suite": "good", "model": "x", "colour": 1}', 422, "invalid"),
                                         ("/api/v1/runs", '{"suite": "nothing", "model": "x"}', 404, "not_found"),
                                         ("/api/v1/runs", "[" * 100000, 422, "invalid"),
                                         ("/api/v1/runs", "x" * 2_000_000, 413, "too_large"),
                                         ("/api/v1/nothing", "{}", 404, "not_found"),
                                         ("/api/v1/suites/good/items", "{}", 405, "invalid")):
            with self.subTest(f"{path} {body[:40]}"):
                got, problem = self.post(path, body, kind="application/json")
                self.assertEqual((got, problem["code"], problem["status"]), (status, code, status), problem)
                self.assertTrue(problem["detail"])
        self.assertEqual(self.post("/api/v1/runs", "x" * 2_000_000, token=False)[0], 401)

    def test_wrong_model_files_name_their_place(self):
        for name, text, pattern in (
                ("unknown provider", "schema: assay.models.v1\nmodels:\n  - name: a\n    provider: opnai\n", r"m\.yaml:4:\d+: .*opnai"),
                ("unknown key", "schema: assay.models.v1\nmodels:\n  - name: a\n    provider: openai\n    url: x\n", r"m\.yaml:5:5: .*url"),
                ("a key in the file", "schema: assay.models.v1\nmodels:\n  - name: a\n    provider: openai\n"
                 "    base_url: http://127.0.0.1:1/v1\n    model: m\n    key: sk-proj-abcdefghijklmnopqrstuvwxyz0123456789\n", r"m\.yaml:7:\d+: "),
                ("empty", "", r"m\.yaml:1:1: "),
                ("twice", "schema: assay.models.v1\nmodels:\n" + 2 * "  - {name: a, provider: openai, model: m, base_url: 'http://h/v1'}\n", r"m\.yaml:4:\d+: .*a")):
            with self.subTest(name):
                result = self.lab.assay("models", "add", self.lab.write("m.yaml", text), ok=2)
                self.assertRegex(result.err, pattern)
                self.assertNotIn("abcdefghijklmnopqrstuvwxyz", result.err)
        self.assertEqual(self.lab.json("models", "list")["items"], [])

    def test_the_nearest_command_and_flag_are_suggested(self):
        for args, word in ((["rnu"], "run"), (["suite", "psuh", "x"], "push"), (["statsu"], "status"),
                           (["run", "good", "--modle", "m"], "--model"), (["up", "--wrokers", "2"], "--workers"),
                           (["runs", "lst"], "list")):
            with self.subTest(" ".join(args)):
                result = self.lab.assay(*args, ok=2)
                self.assertIn("did you mean", result.err)
                self.assertIn(word, result.err)
        self.lab.assay("suite", "push", self.lab.write_suite(10, name="good"))
        for args, word in ((["run", "good"], "--model"), (["run", "--model", "m"], "SUITE"), (["run", "a", "b", "--model", "m"], "b"),
                           (["run", "good", "--model", "m", "--epochs", "many"], "many"),
                           (["run", "good", "--model", "m", "--epochs", "0"], "0"),
                           (["run", "good", "--model", "m", "--slice", "stratum", "--dry-run"], "stratum"),
                           (["item", "show", "one", "q"], "one"), (["compare", "1", "two"], "two"),
                           (["runs", "show", "0"], "0"), (["up", "--workers", "-1"], "-1")):
            with self.subTest(" ".join(args)):
                self.assertIn(word, self.lab.assay(*args, ok=2).err)

    def test_unknown_names_are_nothing_matched(self):
        self.lab.assay("suite", "push", self.lab.write_suite(10, name="good"))
        self.assertIn("did you mean 'good'", self.lab.assay("run", "godo", "--model", "m", ok=4).err)
        self.assertIn("no model 'm'", self.lab.assay("run", "good", "--model", "m", ok=4).err)
        self.lab.assay("runs", "show", "999", ok=4)
        self.lab.assay("suite", "show", "nothing", ok=4)
        self.lab.assay("compare", "998", "999", ok=4)

    def test_a_wrong_token_and_a_server_that_is_away_are_exit_3(self):
        wrong = self.lab.write("wrong-token", "assay_wrong\n")
        os.chmod(wrong, 0o600)
        result = self.lab.assay("runs", "list", ok=3, env={"ASSAY_TOKEN_FILE": wrong})
        self.assertIn("token", result.err)
        open_to_all = self.lab.write("open-token", (self.lab.home / "token").read_text())
        os.chmod(open_to_all, 0o644)
        self.lab.assay("runs", "list", ok=3, env={"ASSAY_TOKEN_FILE": open_to_all})
        token = self.lab.home / "token"
        away = self.lab.assay("runs", "list", "--server", "http://127.0.0.1:1", ok=3, env={"ASSAY_TOKEN_FILE": token})
        self.assertIn("127.0.0.1:1", away.err)
        self.lab.assay("runs", "list", ok=3, env={"ASSAY_HOME": self.lab.folder / "nowhere"})
        self.lab.assay("runs", "list", "--server", "ftp://x", ok=2)
        self.assertEqual(json.loads(self.lab.assay("runs", "list", "--json", ok=3,
                                                   env={"ASSAY_TOKEN_FILE": wrong}).out)["exit"], 3)


# What the endpoint does wrong, the class that the attempt or result must have, and words of its evidence.
FAULTS = [
    ("400", r"request", r"bad field"),
    ("401", r"auth", r"Incorrect API key"),
    ("404", r"not_found|model", r"no such model"),
    ("429", r"rate", r"slow down"),
    ("quota", r"quota", r"exceeded your current quota"),
    ("500", r"server", r"oops"),
    ("context", r"context", r"too long"),
    ("empty-choices", r"malformed|empty", r"choices"),
    ("cut", r"malformed", r"A"),
    ("error-inside", r"server", r"inside a 200"),
    ("html", r"malformed", r"welcome to the proxy"),
    ("huge", r"too_large|malformed|limit", r""),
    ("close", r"connect|network|transport", r""),
]
# What must be scored in spite of it: the text is odd, but it is an answer.
ODD = ["nul", "half-pair", "bytes"]
SLOW = [("drip", r"timeout", r""), ("hang", r"timeout", r"")]


class BadModels(LabCase):
    def setUp(self):
        self.lab.assay("suite", "push", self.lab.write_suite(3, name="three"))

    def one(self, run):
        return json.loads(self.lab.assay("item", "show", run, "q-00001", "--json", "--content").out)

    def check_fault(self, run, classes, words):
        shown = self.lab.run_json(run)
        self.assertEqual(shown["state"], "incomplete", shown)
        self.assertEqual((shown["progress"]["done"], shown["progress"]["missing"]), (3, 3), shown)
        document = self.one(run)
        last = document["results"][-1]
        self.assertEqual(last["outcome"], "provider_error", document)
        said = [last.get("error_class", "")] + [a["error_class"] for a in document["attempts"]]
        self.assertTrue(any(re.search(classes, s) for s in said if s), (classes, said))
        evidence = json.dumps([last.get("evidence", ""), last.get("response", "")] +
                              [a["evidence"] for a in document["attempts"]])
        self.assertGreater(len(evidence), 20, document)
        if words:
            self.assertRegex(evidence, words)

    def test_every_fault_of_a_provider_ends_in_a_typed_outcome(self):
        runs = {}
        for kind, _, _ in FAULTS:  # all at once: each waits for its own backoff
            self.lab.add_model(f"bad-{kind}", self.endpoint.url + "/v1")
            runs[kind] = self.lab.start("three", f"bad-{kind}")
        for kind, classes, words in FAULTS:
            with self.subTest(kind):
                self.lab.assay("runs", "watch", runs[kind], ok=12, timeout=120)
                self.check_fault(runs[kind], classes, words)

    def test_odd_text_is_an_answer(self):
        for kind in ODD:
            with self.subTest(kind):
                self.lab.add_model(f"bad-{kind}", self.endpoint.url + "/v1")
                _, run = self.lab.run("three", f"bad-{kind}", ok=None)
                document = self.one(run)
                self.assertEqual(document["results"][-1]["outcome"], "scored", document)
                self.assertIn("A", document["results"][-1]["answer"])
                self.lab.assay("item", "show", run, "q-00001")
                self.lab.assay("runs", "export", run, "--content")

    def test_a_slow_drip_and_a_hang_end_by_time(self):
        text = "schema: assay.models.v1\nmodels:\n" + "".join(
            f"  - {{name: bad-{kind}, provider: openai, model: bad-{kind}, base_url: '{self.endpoint.url}/v1', "
            "timeout_s: 2}\n" for kind, _, _ in SLOW)
        added = self.lab.assay("models", "add", self.lab.write("slow.yaml", text), ok=None)
        if added.code != 0:
            self.fail("models.yaml has no timeout of one call: " + added.err)
        runs = {kind: self.lab.start("three", f"bad-{kind}", "--limit", 1) for kind, _, _ in SLOW}
        for kind, classes, words in SLOW:
            with self.subTest(kind):
                self.lab.assay("runs", "watch", runs[kind], ok=12, timeout=150)
                document = self.one_of(runs[kind])
                self.assertEqual(document["results"][-1]["outcome"], "provider_error")
                said = [document["results"][-1].get("error_class", "")] + [a["error_class"] for a in document["attempts"]]
                self.assertTrue(any(re.search(classes, s) for s in said), said)

    def one_of(self, run):
        row = json.loads(self.lab.assay("runs", "export", run).out.splitlines()[0])
        return json.loads(self.lab.assay("item", "show", run, row["item"], "--json", "--content").out)

    def test_nobody_listens_there(self):
        import socket
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]  # bound, but nobody listens: connections are refused
            self.lab.add_model("nobody", f"http://127.0.0.1:{port}/v1")
            _, run = self.lab.run("three", "nobody", ok=12)
        self.check_fault(run, r"connect", r"refused|connect")

    def test_tls_with_a_server_that_speaks_none(self):
        self.lab.add_model("plain", self.endpoint.url.replace("http:", "https:") + "/v1")
        _, run = self.lab.run("three", "plain", ok=12)
        self.check_fault(run, r"tls|connect", r"(?i)ssl|tls")

    def test_an_alias_that_no_worker_has_is_refused_before_a_run_is_made(self):
        before = self.lab.json("runs", "list")["items"]
        asked = self.endpoint.stats()["asked"]
        self.lab.add_model("keyed", self.endpoint.url + "/v1", key="nobody-has-it")
        result = self.lab.assay("run", "three", "--model", "keyed", ok=2)
        self.assertIn("nobody-has-it", result.err)
        self.assertEqual(self.lab.json("runs", "list")["items"], before)
        self.assertEqual(self.endpoint.stats()["asked"], asked)


class HostNotAllowed(unittest.TestCase):
    def test_a_host_that_worker_yaml_does_not_list_is_refused_before_a_byte_leaves(self):
        lab = Lab(workers=0)
        self.addCleanup(lab.close)
        lab.up()
        endpoint = lab.endpoint()
        lab.own_worker("own", "allowed_hosts: [api.example.com]\n")
        lab.add_model("local", endpoint.url + "/v1")
        result = lab.assay("run", lab.write_suite(3, name="three"), "--model", "local", ok=2)
        self.assertIn("127.0.0.1", result.err)
        self.assertIn("api.example.com", result.err)
        self.assertEqual(endpoint.stats()["asked"], 0)


if __name__ == "__main__":
    unittest.main()
