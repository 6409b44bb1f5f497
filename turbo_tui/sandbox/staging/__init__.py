"""Copy-on-write views of a workspace: make one, read what changed in it."""
