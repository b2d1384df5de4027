"""SegSort's loss in place of HSG's: one level, no groups.

Paper:    "SegSort: Segmentation by Discriminative Sorting of Segments", ICCV
          2019 (arXiv 1910.06962), which has no views: each of HSG's is an
          image of its own.
Command:  python benchmarks/hsg_learning/run.py --models segsort, which trains
          segsort.py and measures what it has learned.
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['hsg.py']

model = dict(
    head=dict(
        fine_weight=0.,
        coarse_weight=0.,
        grouping_weight=0.,
        centroid_weight=0.,
        cosegment=False))
