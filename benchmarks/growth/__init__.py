"""How time and memory of CAST and ViT grow with images and batches."""
