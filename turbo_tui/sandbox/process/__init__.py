"""Start a command, hold it to its limits, read what it says, end all of it."""
