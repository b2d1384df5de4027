r"""Objects and parts of PartImageNet: ViT-B's segments, named by CLIP.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `parts`, row
          ViT-B, columns part and object.
Command:  PYTHONPATH=. python tools/test.py \
          projects/part_labelling/configs/vit-conv-b_clip_part-imagenet.py \
          vit-conv-b_in1k
Hardware: one GPU or CPU.
Data:     data/part_imagenet, release OOD: 2957 images of val.json.
Weights:  `mmhierseg://vit-conv-b_in1k`, the authors'; a checkpoint of
          configs/baselines/vit-conv-b_in1k.py; CLIP's, which open_clip
          downloads.
Status:   runs - tests on small generated data in PartImageNet's layout, with
          random weights; not yet run on PartImageNet here.

K-means of the patch tokens, as in
configs/baselines/vit-conv-b_hierarchy_part-imagenet.py: 16 segments are
parts, 8 are objects. The initial clusters are random, and the same for all
images, where the authors draw them anew for each; others are drawn by
--cfg-options model.segments.model.seed=N.
"""

_base_ = ['_base_/part_imagenet_clip.py']

model = dict(
    segments=dict(
        type='mmhierseg.HierarchySegments',
        model=dict(
            type='mmhierseg.KMeansHierarchy',
            backbone=dict(
                type='mmhierseg.MoCoV3ConvViT',
                arch='base',
                out_type='featmap',
                final_norm=False),
            num_clusters=(64, 32, 16, 8),
            num_iterations=30,
            seed=0),
        part_level=-2,
        object_level=-1))
