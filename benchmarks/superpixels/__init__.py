"""What superpixels cost, and how well they fit what images show."""
