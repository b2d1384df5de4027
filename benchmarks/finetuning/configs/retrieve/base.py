# Retrieval: each of an image's eight segments takes the class of its nearest
# neighbour among the segments of 1000 other images. (Of 20 neighbours, the
# papers' number for a bank fifty times as large, most are background nearly
# always.)
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
            num_clusters=(32, 16, 8, 4)),
        neck=dict(
            in_channels=embed_dims, hid_channels=512, out_channels=128)),
    num_classes=_base_.num_classes,
    num_neighbors=1,
    # Those after the third pooling; the fourth leaves four.
    level=3)
bank_dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dict(_base_.scenes, num_scenes=1000))
custom_hooks = [
    dict(type='mmhierseg.MemoryBankHook', dataloader=bank_dataloader)
]
