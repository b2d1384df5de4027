"""Data sets and their transforms."""
