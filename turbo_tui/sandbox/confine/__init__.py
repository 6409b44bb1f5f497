"""What a command can see and reach, on each kind of machine."""
