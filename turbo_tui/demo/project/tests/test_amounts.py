import unittest

from tally.amounts import format_amount, total


class Amounts(unittest.TestCase):
    def test_cents_have_two_digits(self):
        self.assertEqual(format_amount(1205), "12.05")

    def test_a_refund_is_negative(self):
        self.assertEqual(format_amount(-50), "-0.50")

    def test_total(self):
        self.assertEqual(total([1, 2, 3]), 6)
