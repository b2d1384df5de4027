# HSG's two views of Potsdam's training tiles with the over-segmentation of
# each; no annotation is read. Evaluated by retrieval on Potsdam.
# PNGs: tools/dataset_converters/generate_oversegmentation.py \
#           data/potsdam/img_dir/train \
#           data/potsdam/oversegmentation/train
_base_ = ['potsdam_retrieval.py', 'hsg_views.py']

crop_size = (448, 448)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(
        type='mmhierseg.LoadSegmentMap',
        map_prefix='data/potsdam/oversegmentation/train',
        img_prefix='data/potsdam/img_dir/train'),
    dict(
        type='mmpretrain.MultiView',
        num_views=2,
        transforms=[_base_.view_pipeline]),
    dict(type='mmpretrain.PackInputs'),
]
train_dataloader = dict(
    # In place of the None of what does not train.
    _delete_=True,
    batch_size=6,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmpretrain.CustomDataset',
        data_root='data/potsdam',
        data_prefix='img_dir/train',
        with_label=False,
        pipeline=train_pipeline))
