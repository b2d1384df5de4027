"""Command-line programs: training and testing."""
