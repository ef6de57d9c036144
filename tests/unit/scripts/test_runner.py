"""tests/support/runner.py: what counts as passed, failed, skipped and measured."""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import runner  # noqa: E402

PASSED = "[==========] Running 1 test(s).\n[ RUN      ] it_holds\n[       OK ] it_holds\n[==========] 1 test(s) run.\n"
LEAKS = "Direct leak of 8 byte(s) in 1 object(s) allocated from:\n" * 400


class Readers(unittest.TestCase):
    def test_a_cmocka_program_is_counted_by_its_sentences(self):
        count = runner.read_cmocka("x", 0, PASSED)
        self.assertEqual((count.passed, count.failed, count.skipped), (1, [], []))

    def test_a_program_that_dies_after_its_sentences_has_failed(self):
        self.assertEqual(runner.read_cmocka("x", 1, PASSED).failed, ["x: exit status 1"])

    def test_a_program_that_runs_nothing_has_failed(self):
        for reader in (runner.read_cmocka, runner.read_unittest, runner.read_lines):
            self.assertEqual(reader("x", 0, "").failed, ["x: ran no test"], reader)

    def test_an_assertion_is_shown_though_leaks_follow_it(self):
        out = "[ RUN      ] it_holds\n[  ERROR   ] --- 1 != 2\n[   LINE   ] --- a.c:7: error: Failure!\n[  FAILED  ] it_holds\n" + LEAKS
        self.assertEqual(runner.read_cmocka("x", 1, out).failed, ["x: it_holds"])
        self.assertIn("[  ERROR   ] --- 1 != 2", runner.assertions(out))
        self.assertIn("[   LINE   ] --- a.c:7: error: Failure!", runner.assertions(out))
        self.assertLess(len(runner.assertions(out)), 10)

    def test_unittest_methods_are_counted_though_they_print(self):
        out = ("test_a (m.C) ... \nfigure: speed 3 s\nok\ntest_b (m.C)\nIt has a text. ... FAIL\n"
               "test_c (m.C) ... skipped 'why not'\n\n=====\nFAIL: test_b (m.C)\n-----\nRan 3 tests\n")
        count = runner.read_unittest("x", 1, out)
        self.assertEqual((count.passed, count.failed, count.skipped), (1, ["x:test_b"], ["x:test_c"]))
        self.assertEqual(runner.read_figures(out), ["speed 3 s"])

    def test_a_failing_part_of_a_test_and_a_failing_preparation_are_named(self):
        out = ("test_a (m.C) ... \n  test_a (m.C) (seed=1) ... FAIL\n  test_a (m.C) (seed=2) ... FAIL\ntest_b (m.C) ... ok\n\n"
               "=====\nFAIL: test_a (m.C) (seed=1)\n-----\n=====\nFAIL: test_a (m.C) (seed=2)\n-----\n"
               "ERROR: setUpClass (m.D)\n-----\nRan 2 tests\n")
        count = runner.read_unittest("x", 1, out)
        self.assertEqual((count.passed, count.failed), (1, ["x:test_a", "x:setUpClass"]))

    def test_lines_of_a_script_are_counted(self):
        count = runner.read_lines("g/run", 1, "ok a\nok b\nnot ok c 3 s\nskip d no-mount\nokay\n")
        self.assertEqual((count.passed, count.failed, count.skipped), (2, ["g/run: c 3 s"], ["g/run:d"]))

    def test_objects_of_one_name_are_figures_and_others_are_not(self):
        out = '{"bench": "http", "value": 9116.25, "floor": 30029}\n{"chaos": {"seed": 7, "lost": 0}}\n{"a": 1, "b": 2}\n{broken}\n'
        self.assertEqual(runner.read_figures(out), ["http: value 9116, floor 30029", "chaos: seed 7, lost 0"])


class Choices(unittest.TestCase):
    def test_flags_behind_a_group_are_for_its_script(self):
        self.assertEqual(runner.read_arguments(["unit", "--long"]), (True, ["unit"], []))
        self.assertEqual(runner.read_arguments(["chaos", "--faults", "2000"]), (False, ["chaos"], ["--faults", "2000"]))

    def test_fuzz_targets_share_a_budget_unless_asked_for_by_name(self):
        targets = len(list((runner.TESTS / "fuzz").glob("fuzz_*.c")))
        self.assertEqual(runner.fuzz_seconds(True), runner.FUZZ_EACH_S)
        self.assertLessEqual(runner.fuzz_seconds(False) * targets, max(runner.FUZZ_BUDGET_S, 2 * targets))

    def test_every_group_of_the_folders_is_known(self):
        groups = {p.parent.name for p in runner.TESTS.glob("*/run")}
        self.assertLessEqual(groups, set(runner.GROUPS))

    def test_a_skip_needs_a_condition_that_holds(self):
        allowed, before = {"a": "no-shared", "b": "short", "c": "no-mount"}, runner.allowed_skips
        self.addCleanup(setattr, runner, "allowed_skips", before)
        runner.allowed_skips = lambda: allowed
        shared, os.environ["ASSAY_SHARED"] = os.environ.get("ASSAY_SHARED"), str(runner.ROOT)
        self.addCleanup(lambda: os.environ.pop("ASSAY_SHARED") if shared is None else os.environ.update(ASSAY_SHARED=shared))
        for long, failed in ((False, ["a", "d"]), (True, ["a", "b", "d"])):
            count = runner.Count()
            count.skipped = ["a", "b", "c", "d"]
            runner.judge_skips(count, long)
            self.assertEqual([f.split(":")[0] for f in count.failed], failed)


if __name__ == "__main__":
    unittest.main()
