"""Where steps run: copy-on-write stages of the workspace, and what confines their commands."""
