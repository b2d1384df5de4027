r"""FCN of MMSegmentation on Pascal VOC 2012, with CAST-S for ResNet-50-D8.

Paper:    none for this combination. FCN: arXiv 1411.4038. The paper's own
          recipe on VOC is `../cast-s_voc12aug-512x512.py`.
Command:  bash tools/dist_train.sh \
          configs/cast/swap/cast-s_fcn_voc12aug-512x512.py 4
Hardware: 4 GPUs, 4 images each.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it.
Weights:  none, see `docs/swap.md`.
Status:   runs - trains, validates and tests (also with --tta) on small
          generated data in VOC's layout; not trained on VOC here.

The head sees one map, so it is given all stages in one, `'fused'`; the last
stage alone has no more than 80 segments. Both have an eighth of the image's
sides, like the features of ResNet-50-D8.

MMSegmentation's pipeline pads small crops with black. That step is left out,
and the data preprocessor pads: then there are no superpixels in the padding.
"""

_base_ = ['mmseg::fcn/fcn_r50-d8_4xb4-20k_voc12aug-512x512.py']
custom_imports = dict(imports=['mmhierseg'])
# Interrupted and resumed is the same as uninterrupted: docs/training.md.
default_hooks = dict(random_state=dict(type='mmhierseg.RandomStateHook'))

model = dict(
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelSegDataPreProcessor',
        superpixels=dict(type='TorchSLIC', segment_size=16)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmhierseg.CAST',
        arch='small',
        img_size=512,
        num_clusters=(320, 160, 80, 40),
        out_type='featmap',
        out_indices=(2, 'fused')),
    decode_head=dict(in_channels=384, in_index=1),
    auxiliary_head=dict(in_channels=384, in_index=0))

# The last steps are padding and packing.
train_pipeline = [*_base_.train_pipeline[:-2], _base_.train_pipeline[-1]]
train_dataloader = dict(
    dataset=dict(datasets=[
        dict(_base_.dataset_train, pipeline=train_pipeline),
        dict(_base_.dataset_aug, pipeline=train_pipeline),
    ]))
