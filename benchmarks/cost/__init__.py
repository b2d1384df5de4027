"""Time and memory of CAST against ViT and Swin."""
