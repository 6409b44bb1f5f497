"""Find out by trying what confines commands here, and whether it still does."""
