"""Textual widgets: values in, messages out. A leaf: knows nothing of turbo_tui."""
