# One of the two views that HSG makes of an image; crops of 448 x 448.
# Size and place of image and over-segmentation, colours of the image; then the
# over-segmentation becomes the image's fourth channel, S.
view_pipeline = [
    dict(
        type='RandomResize',
        # A ratio of 1 is the longer side of nearly all images of COCO.
        scale=(640, 640),
        ratio_range=(0.5, 1.5),
        keep_ratio=True,
        resize_type='mmseg.Resize'),
    dict(type='mmseg.RandomCrop', crop_size=(448, 448)),
    dict(type='mmseg.RandomFlip', prob=0.5),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='mmpretrain.ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1)
        ],
        prob=0.8),
    dict(
        type='RandomGrayscale',
        prob=0.2,
        keep_channels=True,
        channel_weights=(0.114, 0.587, 0.2989)),
    dict(type='mmhierseg.AttachSegmentMap'),
    # The mean of the images (BGR), and no region.
    dict(
        type='Pad',
        size=(448, 448),
        pad_val=dict(img=(103.53, 116.28, 123.675, -1), seg=255)),
]
