"""What chunks mean: vectors of a static table and of the model, filled in behind."""
