import pytest
import torch
import torch.nn.functional as F

from projects.tome.tome import (
    ProportionalAttention,
    match_tokens,
    merge_tokens,
)


def tokens_of(batch, num_tokens, channels=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, num_tokens, channels, generator=generator)


def sizes_of(counts, num_tokens):
    """Sizes 1, 2, 3, 1, ... of as many tokens as each image has."""
    index = torch.arange(num_tokens).expand(len(counts), -1)
    return torch.where(index < torch.tensor(counts)[:, None],
                       index % 3 + 1., 0.)


def slow_merging(metric, tokens, sizes, num_merged):
    """The paper's procedure for one image without empty tokens, in loops.

    Gives the members of each new token, in order, the tokens and their sizes.
    """
    count = len(tokens)
    set_a, set_b = range(1, count, 2), range(0, count, 2)
    pairs = []
    for a in set_a:
        cosines = [
            float(F.cosine_similarity(metric[a], metric[b], dim=0))
            for b in set_b
        ]
        pairs.append((max(cosines), a, set_b[cosines.index(max(cosines))]))
    pairs = sorted(pairs, key=lambda pair: -pair[0])[:num_merged]
    gone = {a for _, a, _ in pairs}
    members = [[a] for a in set_a if a not in gone]
    members += [[b] + [a for _, a, into in pairs if into == b] for b in set_b]
    new_sizes = torch.stack([sizes[group].sum() for group in members])
    sums = [(sizes[group, None] * tokens[group]).sum(0) for group in members]
    return members, torch.stack(sums) / new_sizes[:, None], new_sizes


@pytest.mark.parametrize('num_merged', [0, 3, 16])
@pytest.mark.parametrize('num_tokens', [1, 2, 9])
def test_equals_slow_reference(num_tokens, num_merged):
    """The second image has fewer tokens."""
    counts = [num_tokens, (num_tokens + 1) // 2]
    metric, tokens = (tokens_of(2, num_tokens, seed=seed) for seed in (0, 1))
    sizes = sizes_of(counts, num_tokens)
    parents, left = match_tokens(metric, sizes, num_merged)
    assert left == num_tokens - min(num_merged, num_tokens // 2)
    merged, new_sizes = merge_tokens(tokens, sizes, parents, left)
    assert merged.shape == (2, left, 6) and new_sizes.shape == (2, left)
    for i, count in enumerate(counts):
        members, expected, expected_sizes = slow_merging(
            metric[i, :count], tokens[i, :count], sizes[i, :count],
            num_merged)
        kept = len(members)
        for new, group in enumerate(members):
            assert all(parents[i, old] == new for old in group)
        torch.testing.assert_close(merged[i, :kept], expected)
        torch.testing.assert_close(new_sizes[i, :kept], expected_sizes)
        # Empty tokens come last again.
        assert not new_sizes[i, kept:].any() and not merged[i, kept:].any()


def test_half_precision_is_summed_in_float32():
    tokens, sizes = torch.ones(1, 4, 1).half(), torch.full((1, 4), 30000.)
    merged, _ = merge_tokens(tokens, sizes, torch.zeros(1, 4).long(), 1)
    assert merged.dtype == torch.float16 and merged.item() == 1


def test_token_of_size_s_counts_s_times():
    torch.manual_seed(0)
    attention = ProportionalAttention(8, 2)
    tokens = tokens_of(1, 3, 8)
    copies = tokens.repeat_interleave(torch.tensor([1, 3, 2]), dim=1)
    out, _ = attention(tokens, torch.tensor([[1., 3., 2.]]))
    expected, _ = attention(copies, torch.ones(1, 6))
    torch.testing.assert_close(out, expected[:, [0, 1, 4]])
    # Size 0 masks.
    out, _ = attention(tokens, torch.tensor([[1., 1., 0.]]))
    expected, _ = attention(tokens[:, :2], torch.ones(1, 2))
    torch.testing.assert_close(out[:, :2], expected)
