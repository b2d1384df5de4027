"""CAST-B, pre-trained with MoCo v3 on ImageNet-1K, sharded among the GPUs.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314); the recipe is that of
          `cast-b_in1k.py`. Sharding: "PyTorch FSDP", VLDB 2023 (arXiv
          2304.11277).
Command:  bash tools/dist_train.sh configs/cast/cast-b_in1k_fsdp.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs on the CPU - two processes connected by Gloo train, save and
          resume a small model on generated data, with the losses and weights
          of unsharded training. Not run on a GPU: neither NCCL, nor fp16 with
          the sharded gradient scaler, nor SyncBN, nor what memory it saves.

Each GPU holds an eighth of the parameters, gradients and states of AdamW, of
the momentum encoder, too. The batch and all else are as without sharding, and
so are the checkpoints: any other config can load them.

Blocks are gathered one by one, the rest of an encoder (stem, poolings, norm),
the projector and the predictor at once. Mixed precision is autocast, as in the
recipe; FSDP's own (`model_wrapper.mixed_precision`) would round the numbers of
superpixels, which come in a channel of the image. With a single process, it
is `cast-b_in1k.py` on MMEngine's other runner.

To recompute blocks in the backward pass:
--cfg-options model.backbone.with_cp=True
"""

_base_ = ['cast-b_in1k.py']

runner_type = 'FlexibleRunner'
strategy = dict(
    type='mmhierseg.ShardedStrategy',
    sync_bn='torch',
    model_wrapper=dict(
        auto_wrap_policy=dict(
            type='wrap_by_class_name',
            class_names=['TransformerBlock', 'CAST', 'NonLinearNeck'])))
# FlexibleRunner reads it from the strategy.
sync_bn = None
# With a fused optimizer, the gradient scaler would not tell other GPUs that a
# gradient has overflowed.
optim_wrapper = dict(optimizer=dict(fused=False))
