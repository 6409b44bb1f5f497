import unittest

from tally.report import WIDTH, report


class Report(unittest.TestCase):
    def test_amounts_stand_to_the_right(self):
        self.assertEqual(
            report([("bread", 320)]).splitlines(),
            ["bread".ljust(WIDTH - 4) + "3.20", "-" * WIDTH, "total".ljust(WIDTH - 4) + "3.20"],
        )
