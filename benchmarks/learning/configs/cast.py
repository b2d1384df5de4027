"""A small CAST on superpixels, against its baselines in this folder.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314).
Command:  python benchmarks/learning/run.py --models cast, which trains
          cast.py and measures what it has learned.
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['mocov3_base.py']
