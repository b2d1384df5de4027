# The first of two stages, the embedding: the contrast of the regions of the
# over-segmentation alone, without k-means. `num_classes` is of the evaluation.
_base_ = ['hsg_r50.py']

model = dict(
    data_preprocessor=dict(test_cfg=dict(size=(512, 512))),
    head=dict(
        kmeans_clusters=(1, 1),
        kmeans_iterations=1,
        fine_weight=0.,
        coarse_weight=0.,
        grouping_weight=0.,
        centroid_weight=0.),
    kmeans_clusters=(6, 6),
    # In evaluation, too.
    kmeans_iterations=1)
