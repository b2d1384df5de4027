# What tuning and retrieval share: part-whole scenes of 256 x 256, so that
# 256 segments of 16 pixels a side make an image, and what is measured. As in
# the papers, images are larger than the views of pre-training.
_base_ = ['../../../configs/_base_/default_runtime_seg.py']
custom_imports = dict(imports=['mmhierseg', 'benchmarks.finetuning'])

size = (256, 256)
# The classes: background and twelve categories.
num_classes = 13
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
    max_others=1,
    typical_colors=0.75,
    pipeline=[dict(type='PackSegInputs')])
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(scenes, split='val', num_scenes=300))
test_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmhierseg.BoundaryFScore'),
]
test_cfg = dict(type='TestLoop')
