"""What drives a session: async, and only through the ports of `core.ports`."""
