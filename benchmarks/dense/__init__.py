"""What segmentation costs, against MMSegmentation's own ViT."""
