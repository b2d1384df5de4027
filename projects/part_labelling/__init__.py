"""Labels of unsupervised segments by CLIP, on PartImageNet; see README.md."""
