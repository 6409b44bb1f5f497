"""A day's report."""

from tally.amounts import format_amount, total

WIDTH = 24  # the till's paper holds 24 characters a line


def rule():
    """Write the line above the total."""
    return "-" * WIDTH


def report(sales):
    """Write one line a sale and the total below."""
    lines = [line(item, cents) for item, cents in sales]
    lines.append(rule())
    lines.append(line("total", total(cents for _, cents in sales)))
    return "\n".join(lines)


def line(item, cents):
    """Write an item to the left and its amount to the right."""
    amount = format_amount(cents)
    return f"{item:<{WIDTH - len(amount)}}{amount}"
