"""`python -m turbo_tui`: the same as `turbo-tui`."""

from turbo_tui.cli import main

main()
