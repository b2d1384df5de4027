"""What benchmarks share: timing, memory, the machine's record, reports."""
