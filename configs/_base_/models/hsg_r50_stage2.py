# The second of two stages, the hierarchy; backbone and neck are those of the
# first. `num_classes` is of the evaluation.
_base_ = ['hsg_r50.py']

model = dict(
    data_preprocessor=dict(test_cfg=dict(size=(512, 512))),
    head=dict(
        graph_knn=2,
        graph_within_view=True,
        pad_length=256,
        grouping_weight=1.,
        centroid_weight=1.),
    kmeans_clusters=(6, 6))
