"""What HSG's losses cost as pixels and segments become more."""
