# HSG's two views of CamVid's training frames with the over-segmentation of
# each frame; no annotation is read. Frames have two thirds of SegNet's size
# and crops 96 pixels, so that a CPU keeps up. Evaluated by retrieval.
# PNGs: tools/dataset_converters/generate_oversegmentation.py \
#           data/camvid/train data/camvid/oversegmentation/train
_base_ = ['camvid_retrieval.py', 'hsg_views.py']

crop_size = (96, 96)
view_pipeline = [
    *_base_.view_pipeline[:2],
    dict(_base_.view_pipeline[2], size=crop_size),
    dict(_base_.view_pipeline[3], crop_size=crop_size),
    *_base_.view_pipeline[4:],
]
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(
        type='mmhierseg.LoadSegmentMap',
        map_prefix='data/camvid/oversegmentation/train'),
    _base_.resize,
    dict(
        type='mmpretrain.MultiView', num_views=2, transforms=[view_pipeline]),
    dict(type='mmpretrain.PackInputs'),
]
train_dataloader = dict(
    # In place of the None of what does not train.
    _delete_=True,
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmpretrain.CustomDataset',
        data_root='data/camvid',
        data_prefix='train',
        with_label=False,
        pipeline=train_pipeline))
