"""The Textual app: views of a session -> widgets, messages of widgets -> commands."""
