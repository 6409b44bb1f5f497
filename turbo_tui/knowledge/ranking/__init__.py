"""Which places answer a query, and why."""
