import torch


def test_classifier_trains_in_full_precision_without_a_gpu(
        trained_classifier):
    output, folder = trained_classifier
    assert 'AmpOptimWrapper needs a GPU and there is none' in output
    assert 'Epoch(train) [1][4/4]' in output
    assert 'accuracy/top1' in output
    checkpoint = torch.load(folder / 'epoch_1.pth', weights_only=False)
    assert checkpoint['meta']['epoch'] == 1
    assert 'loss_scaler' not in checkpoint['optimizer']


def test_bfloat16_without_a_gpu(tool, classifier_config, tmp_path):
    """It needs no gradient scaler, so that precision is mixed on a CPU."""
    result = tool('train.py', classifier_config, '--work-dir', tmp_path,
                  '--no-validate', '--cfg-options',
                  'optim_wrapper.dtype=bfloat16')
    assert ('there is none: training in bfloat16 with '
            'CPUAutocastOptimWrapper') in result.stdout
    assert 'Epoch(train) [1][4/4]' in result.stdout
    low = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    weights = low['state_dict'].values()
    assert {w.dtype for w in weights if w.is_floating_point()} == {
        torch.float32
    }
    assert 'loss_scaler' not in low['optimizer']
    result = tool('train.py', classifier_config, '--work-dir', tmp_path,
                  '--no-validate', '--resume', '--cfg-options',
                  'optim_wrapper.dtype=bfloat16', 'train_cfg.max_epochs=2')
    assert 'resumed epoch: 1, iter: 4' in result.stdout
    assert 'Epoch(train) [2][4/4]' in result.stdout


def test_segmentor_trains(trained_segmentor):
    output, folder = trained_segmentor
    assert 'Iter(train) [2/2]' in output
    assert 'mIoU' in output
    assert (folder / 'iter_2.pth').is_file()


def test_resume_goes_on_with_the_next_epoch(tool, classifier_config,
                                            trained_classifier, tmp_path):
    _, folder = trained_classifier
    result = tool('train.py', classifier_config, '--work-dir', tmp_path,
                  '--resume', folder / 'epoch_1.pth', '--no-validate',
                  '--cfg-options', 'train_cfg.max_epochs=2')
    assert 'resumed epoch: 1, iter: 4' in result.stdout
    assert 'Could not safely load' not in result.stdout
    assert 'Epoch(train) [1]' not in result.stdout
    assert 'Epoch(train) [2][4/4]' in result.stdout
    assert 'Epoch(val)' not in result.stdout
    before = torch.load(folder / 'epoch_1.pth', weights_only=False)
    after = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    steps = [
        checkpoint['optimizer']['state'][0]['step']
        for checkpoint in (before, after)
    ]
    assert steps == [4, 8]


def test_resume_of_iterations_with_amp_and_lr_scaling(tool, segmentor_config,
                                                      trained_segmentor,
                                                      tmp_path):
    _, folder = trained_segmentor
    result = tool('train.py', segmentor_config, '--work-dir', tmp_path,
                  '--resume', folder / 'iter_2.pth', '--amp',
                  '--auto-scale-lr', '--cfg-options',
                  'train_cfg.max_iters=4', 'train_cfg.val_interval=4',
                  'auto_scale_lr.base_batch_size=1')
    assert 'resumed epoch: 0, iter: 2' in result.stdout
    assert 'AmpOptimWrapper needs a GPU' in result.stdout
    assert 'Scaling the original LR by 2.0' in result.stdout
    assert 'Iter(train) [4/4]' in result.stdout
    assert (tmp_path / 'iter_4.pth').is_file()


def test_messages_come_without_a_traceback(tool, classifier_config,
                                           tmp_path):
    result = tool('train.py', classifier_config, '--work-dir', tmp_path,
                  '--cfg-options',
                  'train_dataloader.dataset.data_root=nowhere', check=False)
    assert result.returncode == 1
    assert 'Traceback' not in result.stdout
    assert "train.py: error: there is no data root 'nowhere'" in result.stdout
    assert ('--cfg-options train_dataloader.dataset.data_root=PATH'
            in result.stdout)
