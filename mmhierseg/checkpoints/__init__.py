"""Read, match and convert checkpoints."""
