"""HSG without groups: SegSort's loss on views that are co-segmented.

Paper:    the first of the losses of "Unsupervised Hierarchical Semantic
          Segmentation with Multiview Cosegmentation and Clustering
          Transformers", CVPR 2022 (arXiv 2204.11432).
Command:  python benchmarks/hsg_learning/run.py --models cosegmented, which
          trains cosegmented.py and measures what it has learned.
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['segsort.py']

model = dict(head=dict(cosegment=True))
