"""What a file's text holds: words, chunks, definitions, by its language's grammar."""
