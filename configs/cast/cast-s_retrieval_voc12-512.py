"""Retrieval on Pascal VOC 2012 by CAST-S as pre-trained on COCO: no tuning.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `voc`, row CAST-S,
          column before tuning.
Command:  bash tools/dist_test.sh configs/cast/cast-s_retrieval_voc12-512.py \
              work_dirs/cast-s_coco/kept_epoch_150.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images in the memory bank, 1449 tested.
Weights:  epoch 150 of `cast-s_coco.py`, as it is; or the authors' MoCo
          checkpoint on COCO converted by
          tools/model_converters/cast2mmhierseg.py, with
          --cfg-options model.embedder.backbone.mask_empty=False
Status:   runs - fills the bank and tests on small generated data in VOC's
          layout; not yet run on VOC here.

Every segment of the coarsest level (at most 40 an image) is represented by
the normalised mean, over its pixels, of the 256 values that MoCo's projector
makes of its superpixels' fused tokens. It takes the class that most of its 20
nearest neighbours (cosine) have in the bank, the smallest one on ties. In the
bank, ignored pixels vote, and segments that are mostly ignored are left out.

Differences from the authors' recipe: those of `cast-s_voc12aug-512x512.py` in
empty tokens, in the size of images and in predictions.

To keep the bank: --cfg-options custom_hooks.0.save_to=work_dirs/bank.pth
"""

_base_ = [
    '../_base_/models/retrieval_cast-s.py',
    '../_base_/datasets/pascal_voc12_retrieval.py',
    '../_base_/default_runtime_seg.py',
]

# 1024 superpixels of the image as it is, resized together with it, as for
# testing after fine-tuning.
superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS', num_segments=1024, histogram_bins=5, num_iterations=15),
    attach=False)
attach = dict(type='mmhierseg.AttachSegmentMap')
test_pipeline = [
    _base_.test_pipeline[0],
    superpixels,
    _base_.test_pipeline[1],
    attach,
    *_base_.test_pipeline[2:],
]
bank_pipeline = [
    *_base_.bank_pipeline[:2],
    superpixels,
    _base_.bank_pipeline[2],
    attach,
    _base_.bank_pipeline[3],
]
bank_datasets = [
    dict(dataset, pipeline=bank_pipeline) for dataset in _base_.bank_datasets
]
bank_dataloader = dict(dataset=dict(datasets=bank_datasets))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
custom_hooks = [
    dict(
        type='mmhierseg.MemoryBankHook',
        dataloader=dict(_base_.bank_dataloader,
                        dataset=dict(
                            type='ConcatDataset', datasets=bank_datasets)))
]
