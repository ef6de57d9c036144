"""Real input: the suites of data/banking77, through the tests' endpoint."""
import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import LabCase, SHARED  # noqa: E402

DATA = SHARED / "data" / "banking77"


@unittest.skipUnless(DATA.exists(), "ASSAY_SHARED is absent")
class Banking(LabCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.add_model("letters", cls.endpoint.url + "/v1")

    def suite(self, name, letters):
        """The items as they are, with their own prompt as input; nothing of them is copied into the project."""
        folder = self.lab.folder / name
        folder.mkdir()
        shutil.copy(DATA / f"{name}_eval.jsonl", folder / "items.jsonl")
        return self.lab.write(f"{name}/suite.yaml", "\n".join([
            "schema: assay.suite.v1", f"name: banking-{name}", "task: banking.route_request", "items: [items.jsonl]",
            "generate:", '  prompt: "{{input}}"', "  temperature: 0", "  max_tokens: 8", "scores:",
            f"  - {{name: correct, type: exact, normalize: [trim, casefold], chance: {1 / letters:.6g}}}", ""]))

    def test_two_runs_pair_and_another_suite_does_not(self):
        lab = self.lab
        suite8, suite3 = self.suite("suite8", 8), self.suite("suite3", 3)
        result, first = lab.run(suite8, "letters")
        self.assertRegex(result.out, r"\d+/160\s+\d+\.\d %\s+\[")
        self.assertIn("chance 12.5 %", result.out)
        _, second = lab.run("banking-suite8", "letters", "--again")
        compared = lab.assay("compare", first, second).out
        self.assertIn("paired on 160 of 160 items", compared)
        self.assertIn("no evidence of a difference", compared)
        self.assertEqual(self.endpoint.stats()["prompts"], 160)
        self.assertEqual(self.endpoint.stats()["twice"], 160)

        _, other = lab.run(suite3, "letters")
        refused = lab.assay("compare", other, second, ok=4)
        self.assertEqual(refused.out, "")
        self.assertIn("banking-suite3@1", refused.err)
        self.assertIn("banking-suite8@1", refused.err)
        self.assertIn("cannot be compared", refused.err)
        self.assertRegex(refused.err, r"no item|nothing|not one|share")


if __name__ == "__main__":
    unittest.main()
