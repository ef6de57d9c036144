"""Each query of invariants.sql finds nothing in an installation that is well, and something once what it is about is broken."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]
import invariants  # noqa: E402
from lab import LabCase  # noqa: E402


class Invariants(LabCase):
    workers = 1

    def test_hold_for_a_run_that_nothing_disturbed_and_each_can_fail(self):
        lab = self.lab
        lab.add_model("m", self.endpoint.url + "/v1")
        lab.run(lab.write_suite(40, strata=3), "m", "--epochs", 2)
        self.assertEqual(invariants.violations(lab.sql), [])
        self.assertEqual(invariants.blind(lab.sql), [])
        self.assertEqual(invariants.violations(lab.sql), [])


if __name__ == "__main__":
    unittest.main()
