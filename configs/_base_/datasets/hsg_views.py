# One of the two views that HSG makes of an image; crops of 448 x 448. Images
# are float until they are cropped, then 8 bits, truncated. At the end the
# over-segmentation becomes the image's fourth channel, S.
view_pipeline = [
    dict(type='mmseg.RandomFlip', prob=0.5),
    # Of an image's own size.
    dict(type='mmhierseg.ResizeOwnSize', ratio_range=(0.5, 1.5)),
    # With the mean of the images (BGR).
    dict(
        type='mmhierseg.PadSegmentMap',
        size=(448, 448),
        pad_val=dict(img=(103.53, 116.28, 123.675))),
    dict(type='mmseg.RandomCrop', crop_size=(448, 448)),
    dict(type='mmhierseg.Truncate'),
    dict(type='mmpretrain.NumpyToPIL', to_rgb=True),
    dict(
        type='RandomApply',
        transforms=[
            # In random order.
            dict(
                type='mmpretrain.torchvision/ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1)
        ],
        prob=0.8),
    dict(type='mmpretrain.torchvision/RandomGrayscale', p=0.2),
    dict(type='mmpretrain.PILToNumpy', to_bgr=True),
    dict(type='mmhierseg.AttachSegmentMap'),
]
