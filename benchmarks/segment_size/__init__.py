"""What superpixels of some size leave possible where things are thin."""
