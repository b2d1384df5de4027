"""Bottom layer: errors, atomic files, safe reading, gathering."""
