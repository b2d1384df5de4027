# What tuning and retrieval share: part-whole scenes of 128 x 128, so that 64
# segments of 16 pixels a side make an image, and what is measured. As in the
# papers, classes are fewer than what pre-training shows. Parts always have the
# colours of their kind: what minutes of training leave unrecognised would all
# be background.
_base_ = ['../../../configs/_base_/default_runtime_seg.py']
custom_imports = dict(imports=['mmhierseg', 'benchmarks.finetuning'])

size = (128, 128)
classes = ('background', 'aeroplane', 'bicycle', 'bird', 'boat')
num_classes = len(classes)
normalisation = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True)
superpixels = dict(type='TorchSLIC', segment_size=16)

scenes = dict(
    type='mmhierseg.PartWholeScenes',
    num_scenes=4096,
    task='segmentation',
    size=size,
    # The first four, so that their ids are those of `classes`.
    categories=classes[1:],
    metainfo=dict(
        classes=classes,
        palette=[[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0],
                 [0, 0, 128]]),
    max_others=1,
    typical_colors=1.,
    pipeline=[dict(type='PackSegInputs')])
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(scenes, split='val', num_scenes=400))
test_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmhierseg.BoundaryFScore'),
]
test_cfg = dict(type='TestLoop')
