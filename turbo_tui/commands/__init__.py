"""What `turbo-tui` does for each of its subcommands; each is imported only when it runs."""
