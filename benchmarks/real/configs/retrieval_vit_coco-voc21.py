"""As `retrieval_coco-voc21.py`, with the ViT's patches, grouped by k-means."""

_base_ = ['retrieval_coco-voc21.py', 'vit.py']

model = dict(
    data_preprocessor=_base_.vit_preprocessor,
    embedder=dict(
        _delete_=True,
        type='mmhierseg.FeatureMapEmbedder',
        backbone=dict(_base_.vit, img_size=320)),
    level=-1,
    kmeans=dict(num_clusters=40))
