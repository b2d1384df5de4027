# For segmentors, trained by iterations. Modules without a scope are
# MMSegmentation's; those of this package are named `mmhierseg.X`.
default_scope = 'mmseg'
custom_imports = dict(imports=['mmhierseg'])

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    # Survives a full disk and a killed process: see docs/training.md.
    checkpoint=dict(
        type='mmhierseg.AtomicCheckpointHook', by_epoch=False, interval=2000,
        max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # A resumed run equals an uninterrupted one: see docs/training.md.
    random_state=dict(type='mmhierseg.RandomStateHook'),
    # Rejects labels that the classes do not have: see docs/data.md.
    label_check=dict(type='mmhierseg.LabelCheckHook'),
    visualization=dict(type='SegVisualizationHook'))

env_cfg = dict(
    cudnn_benchmark=False,
    # OpenCV's threads and the loader's processes would fight for the cores.
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(by_epoch=False)

log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=None, deterministic=False)
tta_model = dict(type='SegTTAModel')
