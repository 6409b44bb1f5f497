"""What an executor or a recipe may do: one module each, its prompt text beside it."""
