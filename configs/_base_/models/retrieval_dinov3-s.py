# As `retrieval_dinov2-s.py`, by DINOv3's ViT-S/16.
_base_ = ['retrieval_dinov2-s.py']

model = dict(
    embedder=dict(
        backbone=dict(
            _delete_=True, type='mmhierseg.DINOv3ViT', arch='small'),
        size_divisor=16))
