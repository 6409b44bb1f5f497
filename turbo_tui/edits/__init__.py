"""Model output to changes of text. Pure: bytes and strings in, bytes and strings out."""
