import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.hsg_distributed import (
    HEADS,
    LOCAL,
    SPLITS,
    WithLoss,
    run_step,
    save_steps,
    views_of,
)


@pytest.mark.slow
def test_two_processes_are_as_one(tmp_path):
    run_on_two_processes(save_steps, tmp_path)
    on_two = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    for split in SPLITS:
        inputs, ranks = views_of(split)
        for name, options in HEADS.items():
            losses, weights, embeddings = run_step(WithLoss(**options), inputs)
            results = [result[split, name] for result in on_two]
            # DDP averages gradients; so are the losses.
            mean = (results[0][0] + results[1][0]) / 2
            apart = torch.zeros_like(embeddings)
            for rank, result in enumerate(results):
                apart[ranks == rank] = result[2] / 2
            for result in results:
                torch.testing.assert_close(
                    (mean, result[1], apart), (losses, weights, embeddings),
                    atol=1e-9, rtol=1e-7)
            assert (embeddings != 0).any()
        # Each process averages over its own pixels and images.
        counts = [(result[split, 'views'][1] >= 0).sum() for result in on_two]
        for result, count in zip(on_two, counts):
            own = result[split, 'local'][0]
            torch.testing.assert_close(
                own[0] * count,
                result[split, 'first stage'][0][0] * sum(counts) / 2)
            alone = run_step(WithLoss(**LOCAL), result[split, 'views'])[0]
            torch.testing.assert_close(own[2], alone[2])
