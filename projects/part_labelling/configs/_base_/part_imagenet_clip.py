# PartImageNet's objects and parts, named by CLIP. The segments are missing.
_base_ = ['mmhierseg::_base_/default_runtime_seg.py']

custom_imports = dict(
    imports=['mmhierseg', 'projects.part_labelling.part_labelling'])
model = dict(
    type='mmhierseg.PartLabeller',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    encoder=dict(
        type='mmhierseg.OpenCLIPEncoder',
        model='ViT-B-16-quickgelu',
        pretrained='openai'),
    # Of all configs: a result is found by what determines it.
    cache_dir='work_dirs/part_labelling/cache',
    max_failures=10)

pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='mmhierseg.LoadPartMap'),
    dict(type='mmhierseg.CropForLabelling', size=224),
    dict(type='mmhierseg.PackPartLabelling'),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmhierseg.PartImageNetDataset',
        # All 2,957 images, in the order of their ids.
        keep_unannotated=True,
        data_root='data/part_imagenet',
        ann_file='annotations/val.json',
        data_prefix=dict(img_path='images/val'),
        pipeline=pipeline))
test_evaluator = [
    dict(type='mmhierseg.TaskMIoU', task='object'),
    dict(type='mmhierseg.TaskMIoU', task='part'),
    # With the tolerance of this package: the paper's is not known.
    dict(type='mmhierseg.TaskBoundaryFScore', task='object'),
    dict(type='mmhierseg.TaskBoundaryFScore', task='part'),
]
test_cfg = dict(type='TestLoop')
