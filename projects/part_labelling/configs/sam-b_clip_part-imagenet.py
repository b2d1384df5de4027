r"""Objects and parts of PartImageNet: masks of SAM-B, named by CLIP.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `parts`, row
          SAM-B, columns part and object.
Command:  PYTHONPATH=. python tools/test.py \
          projects/part_labelling/configs/sam-b_clip_part-imagenet.py \
          work_dirs/sam-vit-base/model.safetensors
Hardware: one GPU or CPU.
Data:     data/part_imagenet, release OOD: 2957 images of val.json.
Weights:  SAM's, the repository facebook/sam-vit-base of the Hugging Face hub
          in work_dirs/sam-vit-base; CLIP's, which open_clip downloads.
Status:   runs - tests on small generated data in PartImageNet's layout, with
          random weights; not yet run on PartImageNet here.

SAM, trained with labels, is compared with segments that were learned without.
The masks of all sizes serve both tasks: in overlaps the smallest mask is the
part, the largest the object.
"""

_base_ = ['_base_/part_imagenet_clip.py']

model = dict(
    segments=dict(
        type='mmhierseg.SAMSegments', pretrained='work_dirs/sam-vit-base'))
