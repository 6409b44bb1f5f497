import unittest

from tally.report import report


class Report(unittest.TestCase):
    def test_amounts_stand_to_the_right(self):
        self.assertEqual(
            report([("bread", 320)]),
            "bread               3.20\n" + "-" * 24 + "\ntotal               3.20",
        )
