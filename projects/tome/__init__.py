"""Token merging in place of graph pooling; see README.md."""
