"""Videos: ids and colours that stay, files, and what cannot be read."""

import gc
import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.demo import picture

from mmhierseg.apis import HierarchyInferencer, HierarchyResult
from mmhierseg.apis.label_maps import match_segments
from mmhierseg.apis.tracking import SegmentTracker
from mmhierseg.apis.video import VideoFrames, follow_frames
from mmhierseg.cli.main import main


def write(path, frames, code='MJPG', rate=10.):
    """Write a video; of MJPG, equal frames are read as equal ones."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), rate,
                             frames[0].shape[1::-1])
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def moved(shift, seed, extra=False):
    """A result with a block that moves; labels are numbered at random."""
    labels = np.zeros((24, 40), int)
    labels[:, 20:] = 1
    labels[8:16, 4 + shift:12 + shift] = 2
    if extra:
        labels[20:, :6] = 3
    rng = np.random.default_rng(seed)
    count = labels.max() + 1
    parent, tokens = np.array([0, 1, 0, 0][:count]), np.eye(4)[:count]
    order, above = rng.permutation(count), rng.permutation(2)
    number = np.argsort(order)  # old -> new
    result = HierarchyResult(
        number[labels], [above[parent[order]]], [tokens[order], np.eye(2)],
        image=np.zeros((24, 40, 3), np.uint8))
    return result, number


def test_match_is_best_and_new_segments_have_none():
    before = np.zeros((6, 9), int)
    before[:, 3:6], before[:, 6:] = 1, 2
    now = np.full_like(before, -1)
    now[:, :2], now[:3, 2:6], now[3:, 2:6], now[:, 6:] = 3, 0, 2, 1
    tokens = np.eye(3)
    # Halves of 1: the one with its token is it.
    found = match_segments(before, now, tokens,
                           tokens[[2, 2, 1, 0]])
    assert found.tolist() == [-1, 2, 1, 0]
    # What does not overlap is not the same, whatever its token.
    apart = match_segments(before[:, :3], np.where(now[:, :3] == 3, -1, 0),
                           tokens, tokens[:1])
    assert apart.tolist() == [0]
    assert match_segments(before, np.full_like(before, -1), tokens,
                          np.zeros((0, 3))).size == 0


def test_ids_and_colours_stay():
    tracker, seen = SegmentTracker(), {}
    for frame in range(12):
        result, number = moved(2 * min(frame, 4), frame, extra=frame % 4 == 2)
        tracker.update(result)
        ids, colors = result.tracks[0][number], result['colors'][0][number]
        if frame == 0:
            seen.update(ids=ids, colors=colors)
            first = result
            assert sorted(ids) == [0, 1, 2]
        assert np.array_equal(ids[:3], seen['ids'][:3])
        assert np.array_equal(colors[:3], seen['colors'][:3])
        # Numbers of segments that are gone are not used again.
        assert ids[3:].tolist() == [3 + frame // 4] * (frame % 4 == 2)
        maps = result['label_maps']
        assert np.array_equal(maps[0] == ids[1], result.levels[0] == number[1])
        assert set(maps[1].ravel()) == {0, 1}
    assert len({*map(tuple, first['colors'][0])}) == 3
    # Children are nearer to their parent than to the other one.
    child, parents = (np.stack(first['colors'][i]).astype(int)
                      for i in (0, 1))
    own = first._parents[0]
    distance = np.abs(child[:, None] - parents).sum(2)
    assert (distance.argmin(1) == own).all()


@pytest.fixture
def inferencer(config, checkpoint):
    return HierarchyInferencer(config, checkpoint, 'cpu', img_size=64,
                               show_progress=False)


def test_still_clip(inferencer, tmp_path):
    """Equal frames: equal figures, ids, and files."""
    clip = write(tmp_path / 'still.AVI', [picture(48, 64)] * 5)
    out = tmp_path / 'out'
    found = inferencer(clip, out_dir=out, save_labels='npz', panel_size=32)
    results = found['predictions']
    assert [x.name for x in results] == [f'still/{i:06d}' for i in range(5)]
    colors = [x['colors'] for x in results]
    for one, other in zip(results[1:], colors[1:]):
        for new, old in zip([*one['label_maps'], *other],
                            [*results[0]['label_maps'], *colors[0]]):
            assert np.array_equal(new, old)
    body = [x[60:] for x in found['visualization']]  # below the frame's name
    assert len(body) == 5 and all(np.array_equal(x, body[0]) for x in body)
    loaded = HierarchyResult.load(out / 'still/000003.npz')
    for new, old in zip(loaded['label_maps'], results[3]['label_maps']):
        assert np.array_equal(new, old)
    video = VideoFrames(out / 'still_hierarchy.mp4')
    frames = list(video)
    assert (len(frames), video.rate, video.problem) == (5, 10, '')
    height, width = body[4].shape[:2]
    error = np.abs(frames[4][60:60 + height, :width].astype(int) - body[4])
    assert error.mean() < 12
    # One number of segments, and one answer for the video.
    answer, = inferencer(clip, num_segments=3, return_vis=False,
                         return_labels=False)['predictions']
    assert answer['num_frames'] == 5 and answer['num_segments'] == [3]


def test_memory_does_not_grow(inferencer):
    frames = (picture(48, 64, seed=i) for i in range(4))
    seen = []
    for result in follow_frames(inferencer, frames):
        seen.append(weakref.ref(result))
    del result
    gc.collect()
    assert len(seen) == 4 and not any(one() for one in seen[:3])


def test_moving_pattern(tmp_path):
    """A disc over a textured ground, seen by the model that ships."""
    ground = np.random.default_rng(0).integers(60, 110, (96, 128, 1), np.uint8)
    rows, columns = np.ogrid[:96, :128]
    frames, centres = [], [(48, 40 + 4 * i) for i in range(8)]
    for y, x in centres:
        frame = ground.repeat(3, 2)
        frame[np.hypot(rows - y, columns - x) < 24] = 230, 40, 30
        frames.append(frame)
    clip = write(tmp_path / 'a.mp4', frames, 'mp4v')
    results = HierarchyInferencer(device='cpu', show_progress=False)(
        clip, num_segments=4, return_vis=False)['predictions']
    ids = {int(x['label_maps'][0][at]) for x, at in zip(results, centres)}
    assert len(ids) == 1
    # It is the disc, not everything.
    mask = results[-1]['label_maps'][0] == ids.pop()
    assert 0.5 < mask.sum() / (np.pi * 24**2) < 1.5


def test_what_cannot_be_read(inferencer, tmp_path, capsys, monkeypatch):
    (tmp_path / 'text.mp4').write_text('no video')
    write(tmp_path / 'empty.avi', [picture(48, 64)]).write_bytes(b'')
    whole = write(tmp_path / 'part.avi',
                  [picture(48, 64, seed=i) for i in range(30)]).read_bytes()
    (tmp_path / 'part.avi').write_bytes(whole[:len(whole) // 2])
    for name, message in (
        ('text.mp4', 'cannot be read'), ('empty.avi', 'cannot be read'),
        ('part.avi', 'ends after .* of 30 frames')):
        with pytest.raises(ValueError, match=f'{name}. {message}'):
            inferencer(tmp_path / name, return_vis=False)
    with pytest.raises(ValueError, match="of a video must be 'npz' or None"):
        inferencer(tmp_path / 'part.avi', out_dir=tmp_path, save_labels='png')
    with pytest.raises(FileNotFoundError):
        inferencer(tmp_path / 'none.mp4')
    # The rest is done, and so is what there is of a video.
    write(tmp_path / 'good.avi', [picture(48, 64)] * 2)
    monkeypatch.chdir(tmp_path)
    words = ['segment', 'text.mp4', 'part.avi', 'good.avi', '--device', 'cpu',
             '--num-segments', '3']
    assert main(words) == 1
    printed = capsys.readouterr()
    assert '2 of 3 files could not be read' in printed.err
    assert 'text.mp4' in printed.err and 'ends after' in printed.err
    assert 'good: 2 frames' in printed.out
    assert {x.name for x in Path('outputs').iterdir()} == {
        'part_hierarchy.mp4', 'good_hierarchy.mp4'}
