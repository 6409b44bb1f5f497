"""Print a day's report: `python3 -m tally sales.csv`."""

import sys

from tally.report import report
from tally.sales import read_sales

if len(sys.argv) != 2:
    sys.exit("usage: python3 -m tally FILE.csv")
print(report(read_sales(sys.argv[1])))
