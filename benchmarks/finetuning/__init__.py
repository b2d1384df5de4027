"""What pre-training is good for once a segmentor is tuned, or before."""
