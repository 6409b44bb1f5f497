"""turbo-tui: a terminal coding assistant with editable plans and staged, reviewed steps."""

__version__ = "0.1.0"
