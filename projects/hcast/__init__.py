"""Classification along a taxonomy (H-CAST); see README.md."""
