"""H-CAST-S on CUB-200-2011: species, family and order.

Paper:    H-CAST, ICLR 2025; table of CUB-200-2011, 13-38-200 classes.
Command:  bash tools/dist_train.sh projects/hcast/configs/hcast-s_cub.py 4
          (with another total batch than 4 x 64, add --auto-scale-lr)
Hardware: 4 GPUs, 64 images each.
Data:     data/CUB_200_2011/{images,images.txt,image_class_labels.txt,
          train_test_split.txt}
Weights:  those of `cast-s_deit_in1k.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains and tests on small generated data in CUB's layout; not
          yet trained on CUB here.

What the recipe does not say is as in `cast-s_deit_in1k.py`: augmentation,
5 epochs of warm-up, cosine to 1e-5, drop path, mixed precision. There is no
repeated augmentation, no label smoothing and no moving average.
"""

_base_ = ['mmhierseg::cast/cast-s_deit_in1k.py']

custom_imports = dict(imports=['mmhierseg', 'projects.hcast.hcast'])

taxonomy = 'projects/hcast/taxonomies/cub.json'
num_classes = 200
max_epochs = 100

model = dict(
    data_preprocessor=dict(num_classes=num_classes),
    # Fine levels on fine stages: species on the second, order on the last.
    backbone=dict(
        out_type='cls_tokens',
        out_indices=(1, 2, 3),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_deit_in1k/epoch_300.pth',
            prefix='backbone.')),
    head=dict(
        _delete_=True,
        type='mmhierseg.HierarchicalClsHead',
        in_channels=384,
        taxonomy=taxonomy,
        kl_weight=0.5))

train_dataloader = dict(
    batch_size=64,
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True),
    dataset=dict(
        _delete_=True,
        type='mmhierseg.TaxonomyCUB',
        data_root='data/CUB_200_2011',
        split='train',
        taxonomy=taxonomy,
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    batch_size=64,
    dataset=dict(
        _delete_=True,
        type='mmhierseg.TaxonomyCUB',
        data_root='data/CUB_200_2011',
        split='test',
        taxonomy=taxonomy,
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True, type='mmhierseg.HierarchyAccuracy', taxonomy=taxonomy)
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [dict(_base_.param_scheduler[0], T_max=max_epochs)]
train_cfg = dict(max_epochs=max_epochs)
custom_hooks = []
default_hooks = dict(checkpoint=dict(save_best='taxonomy/FPA', rule='greater'))
auto_scale_lr = dict(base_batch_size=256)
