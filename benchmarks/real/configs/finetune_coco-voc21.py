"""Fine-tuning of a small CAST on COCO in VOC's layout and classes."""

_base_ = ['finetune_camvid.py']

dataset = dict(
    _delete_=True,
    type='PascalVOCDataset',
    data_root='data/coco-voc21/VOCdevkit/VOC2012',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'))
train_pipeline = _base_.train_pipeline
train_pipeline[2].update(scale=(320, 320))
train_dataloader = dict(
    dataset=dict(
        dataset,
        ann_file='ImageSets/Segmentation/train.txt',
        pipeline=train_pipeline))
test_dataloader = dict(
    dataset=dict(
        dataset,
        ann_file='ImageSets/Segmentation/val.txt',
        pipeline=_base_.test_pipeline))
model = dict(decode_head=dict(num_classes=21))
