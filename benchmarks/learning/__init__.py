"""What CAST learns in minutes, against its baselines."""
