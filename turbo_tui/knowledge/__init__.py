"""Find places in a workspace by symbol, text and meaning, in a worker process."""
