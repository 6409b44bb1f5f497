"""The worker process of a workspace, and those who ask it."""
