"""Which files there are, and what is known of them: read, digested, kept for queries."""
