"""Sales as they come from the till."""

import csv


def read_sales(path):
    """Read `item,cents` rows; return a list of (item, cents)."""
    with open(path, newline="", encoding="utf-8") as file:
        return [(row["item"], int(row["cents"])) for row in csv.DictReader(file)]
