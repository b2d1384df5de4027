"""What HSG learns in minutes, against no learning and a single level."""
