"""Small random models in the formats of the real ones."""

import json

import torch
from safetensors.torch import save_file

CLIP_CONFIG = dict(
    embed_dim=16,
    quick_gelu=True,
    vision_cfg=dict(image_size=224, layers=1, width=64, patch_size=56,
                    head_width=32),
    text_cfg=dict(context_length=77, vocab_size=49408, width=16, heads=2,
                  layers=1))


def save_clip(folder, seed=0):
    """Save a CLIP where open_clip finds it by 'local-dir:FOLDER'."""
    import open_clip
    torch.manual_seed(seed)
    net = open_clip.CLIP(**CLIP_CONFIG)
    folder.mkdir(parents=True)
    save_file(net.state_dict(), folder / 'open_clip_model.safetensors')
    (folder / 'open_clip_config.json').write_text(
        json.dumps(dict(model_cfg=CLIP_CONFIG, preprocess_cfg={})))
    return net.eval()


def save_sam(folder, seed=0):
    """Save a SAM and its image processor as transformers does."""
    from transformers import (
        SamConfig,
        SamImageProcessor,
        SamMaskDecoderConfig,
        SamModel,
        SamPromptEncoderConfig,
        SamVisionConfig,
    )
    torch.manual_seed(seed)
    config = SamConfig(
        vision_config=SamVisionConfig(
            hidden_size=16, output_channels=8, num_hidden_layers=2,
            num_attention_heads=2, image_size=64, patch_size=16,
            global_attn_indexes=[1], window_size=2, num_pos_feats=4,
            mlp_dim=32),
        prompt_encoder_config=SamPromptEncoderConfig(
            hidden_size=8, image_size=64, patch_size=16,
            mask_input_channels=4),
        mask_decoder_config=SamMaskDecoderConfig(
            hidden_size=8, mlp_dim=16, num_hidden_layers=1,
            num_attention_heads=2, iou_head_hidden_dim=8))
    net = SamModel(config)
    net.save_pretrained(folder)
    SamImageProcessor(
        size=dict(longest_edge=64), pad_size=dict(height=64, width=64),
        mask_size=dict(longest_edge=16),
        mask_pad_size=dict(height=16, width=16)).save_pretrained(folder)
    return net.eval()
