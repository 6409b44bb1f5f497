"""Amounts of money, in whole cents."""


def format_amount(cents):
    """Write an amount for people: 1234 is 12.34."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole}.{rest:02}"


def total(amounts):
    """Add up amounts."""
    return sum(amounts)
