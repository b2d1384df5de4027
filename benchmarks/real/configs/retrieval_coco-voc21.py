"""Retrieval on COCO in VOC's layout by a small CAST, without tuning."""

_base_ = [
    '../../../configs/_base_/models/retrieval_cast-s.py',
    '../../../configs/_base_/datasets/pascal_voc12_retrieval.py',
    '../../../configs/_base_/default_runtime_seg.py',
]

model = dict(
    data_preprocessor=dict(
        superpixels=dict(type='TorchSLIC', segment_size=16)),
    embedder=dict(
        backbone=dict(
            arch=dict(
                _delete_=True,
                embed_dims=96,
                depths=(2, 2, 2, 1),
                num_heads=4),
            img_size=112,
            # About 300 superpixels an image.
            num_clusters=(150, 75, 40, 20)),
        neck=dict(in_channels=96, hid_channels=512, out_channels=128)),
    num_neighbors=5,
    # 40 segments: those after the third pooling. The image feature, a mean
    # of fused tokens, has not trained the fourth one.
    level=3)

dataset = dict(
    type='PascalVOCDataset',
    data_root='data/coco-voc21/VOCdevkit/VOC2012',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'))
load = dict(type='LoadImageFromFile')
resize = dict(type='mmhierseg.ResizeOwnSize', longer_side=320)
bank_dataloader = dict(
    batch_size=1,
    num_workers=1,
    dataset=dict(
        dataset,
        ann_file='ImageSets/Segmentation/train.txt',
        pipeline=[
            load,
            dict(type='LoadAnnotations'),
            resize,
            dict(type='PackSegInputs'),
        ]))
custom_hooks = [
    dict(
        type='mmhierseg.MemoryBankHook',
        dataloader=bank_dataloader)
]
test_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        dataset,
        ann_file='ImageSets/Segmentation/val.txt',
        pipeline=[
            load,
            resize,
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ]))
test_evaluator = [
    *_base_.test_evaluator,
    # The oracle: the mIoU of the best label for each segment.
    dict(type='mmhierseg.RegionMIoU'),
]
val_dataloader = None
val_evaluator = None
val_cfg = None
