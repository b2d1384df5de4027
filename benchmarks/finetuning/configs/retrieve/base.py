# Retrieval: each of an image's ten segments takes the class of its neighbours
# among the segments of 600 other images.
_base_ = [
    '../scenes.py',
    '../../../../configs/_base_/models/retrieval_cast-s.py',
]

embed_dims = 64
model = dict(
    data_preprocessor=dict(superpixels=_base_.superpixels),
    embedder=dict(
        backbone=dict(
            arch=dict(
                _delete_=True,
                embed_dims=embed_dims,
                depths=(1, 1, 1, 1),
                num_heads=4),
            img_size=128,
            num_clusters=(80, 40, 20, 10)),
        neck=dict(
            in_channels=embed_dims, hid_channels=512, out_channels=128)),
    num_classes=_base_.num_classes)
bank_dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dict(_base_.scenes, num_scenes=600))
custom_hooks = [
    dict(type='mmhierseg.MemoryBankHook', dataloader=bank_dataloader)
]
