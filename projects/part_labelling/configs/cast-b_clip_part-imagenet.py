r"""Objects and parts of PartImageNet: CAST-B's segments, named by CLIP.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `parts`, row
          CAST-B, columns part and object.
Command:  PYTHONPATH=. python tools/test.py \
          projects/part_labelling/configs/cast-b_clip_part-imagenet.py \
          cast-b_in1k
Hardware: one GPU or CPU.
Data:     data/part_imagenet, release OOD: 2957 images of val.json.
Weights:  `mmhierseg://cast-b_in1k`, the authors'; a checkpoint of
          configs/cast/cast-b_in1k.py; CLIP's, which open_clip downloads.
Status:   runs - tests on small generated data in PartImageNet's layout, with
          random weights; not yet run on PartImageNet here.

Segments of the third pooling (16) are parts, those of the fourth (8) objects.
Pre-training does not train the fourth pooling: with a model of your own,
report several seeds, --cfg-options model.segments.pool_seed=N.
"""

_base_ = ['_base_/part_imagenet_clip.py']

model = dict(
    data_preprocessor=dict(type='mmhierseg.SuperpixelSegDataPreProcessor'),
    segments=dict(
        type='mmhierseg.HierarchySegments',
        model=dict(
            type='mmhierseg.CAST',
            arch='base',
            img_size=224,
            num_clusters=(64, 32, 16, 8),
            pos_embed='sincos',
            # Images are segmented one by one, so that no token is empty for
            # another one's sake.
            mask_empty=False),
        part_level=-2,
        object_level=-1))
pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='mmhierseg.LoadPartMap'),
    dict(type='mmhierseg.CropForLabelling', size=224),
    # After the crop: superpixels are of the image that the model sees.
    dict(
        type='mmhierseg.GenerateSuperpixels',
        superpixels=dict(
            type='SEEDS',
            num_segments=196,
            num_levels=1,
            prior=2,
            histogram_bins=15,
            double_step=False,
            num_iterations=20)),
    dict(type='mmhierseg.PackPartLabelling'),
]
test_dataloader = dict(dataset=dict(pipeline=pipeline))
