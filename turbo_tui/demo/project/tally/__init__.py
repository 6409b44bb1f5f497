"""Add up what a small shop sells in a day."""
