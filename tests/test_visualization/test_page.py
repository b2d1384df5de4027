"""The page of an image, in a browser."""

import io
import json
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from benchmarks.images import make_mosaic
from mmhierseg.apis import HierarchyInferencer, HierarchyResult
from mmhierseg.visualization import hierarchy_page, tree_colors

NAME = '</script><script>document.title = "x"</script>'


def draw(size=(60, 90), cells=(6, 9)):
    """A result of square superpixels, in two coarser levels."""
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, cells))
    labels = rows[:, None] * cells[1] + columns
    number = cells[0] * cells[1]
    rng = np.random.default_rng(0)
    parents = [np.arange(number) * 10 // number, np.arange(10) // 4]
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    features = [rng.normal(size=(n, 4)) for n in (number, 10, 3)]
    return HierarchyResult(labels, parents, features, image=image, name=NAME)


def test_colours_are_shades_of_the_parent():
    tree = draw().linkage
    colors = tree_colors(tree).astype(int)
    count = len(tree) + 1
    assert colors.shape == (2 * count - 1, 3)
    steps = [np.abs(colors[tree[i, 0].astype(int)] -
                    colors[tree[i, 1].astype(int)]).sum()
             for i in range(count - 1)]
    # Siblings differ, most at the top.
    assert min(steps) > 0 and np.mean(steps[-5:]) > np.mean(steps[:5])
    assert len(tree_colors(np.zeros((0, 4)))) == 1


def test_large_image_is_shown_small():
    rng = np.random.default_rng(0)
    image = np.asarray(Image.fromarray(rng.integers(
        0, 256, (60, 80, 3), np.uint8)).resize((4000, 3000)))
    labels = np.arange(3000)[:, None] // 150 * 20 + np.arange(4000) // 200
    result = HierarchyResult(labels, [], image=image)
    page = hierarchy_page(image, labels, result.linkage)
    assert len(page) < 5e6


@contextmanager
def opened(browser, result, path):
    """The page of a result from the disk, without a network."""
    result.to_html(path)
    context = browser.new_context(offline=True, accept_downloads=True)
    page = context.new_page()
    page.errors = []
    page.on('pageerror', lambda error: page.errors.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_function('document.body.dataset.segments')
    page.result = result
    yield page
    assert not page.errors
    context.close()


@pytest.fixture
def page(browser, tmp_path):
    with opened(browser, draw(), tmp_path / 'page.html') as page:
        yield page


def state(page):
    data = page.evaluate('({...document.body.dataset})')
    return int(data['segments']), int(data['selected'])


def click(page, x, y, **options):
    """Click a place of the image, given as fractions of its size."""
    box = page.locator('#paint').bounding_box()
    page.mouse.click(box['x'] + x * box['width'],
                     box['y'] + y * box['height'], **options)


def set_segments(page, number):
    page.locator('input[type=range]').fill(str(number))


def downloaded(page, button):
    with page.expect_download() as download:
        page.locator(button).click()
    return download.value.path().read_bytes()


def test_page_answers(page):
    # The name is text.
    assert page.title() == NAME == page.locator('h1').inner_text()
    slider = page.locator('input[type=range]')
    assert slider.count() == 1
    assert [slider.get_attribute(x) for x in ('min', 'max')] == ['1', '54']
    for number in (1, 54, 10):
        set_segments(page, number)
        assert state(page) == (number, 0)
    # Superpixel 0, then what it is part of, and back.
    set_segments(page, 54)
    click(page, .05, .05)
    assert state(page) == (54, 1)
    assert page.locator('#path button').count() == 1
    click(page, .05, .05)
    assert page.locator('#path button').count() == 2
    page.locator('#path button').first.click()
    assert page.locator('#path button').count() == 1
    page.keyboard.down('Shift')
    click(page, .95, .95)
    page.keyboard.up('Shift')
    assert state(page) == (54, 2)
    assert '2 selected' in page.locator('[role=status]').inner_text()


def test_downloads(page):
    result = page.result
    set_segments(page, 10)
    found = json.loads(downloaded(page, '#save-coco'))['annotations']
    cut = result.cut(10)
    masks = [rle.decode(rle.frPyObjects(x['segmentation'], 60, 90))
             for x in found]
    assert len(masks) == 10
    for mask, one in zip(masks, found):
        i, = np.unique(cut[mask > 0])
        assert np.array_equal(mask, cut == i) and one['area'] == mask.sum()
    click(page, .05, .05)
    picture = Image.open(io.BytesIO(downloaded(page, '#save-mask')))
    mask = np.asarray(picture.convert('L')) > 0
    assert np.array_equal(mask, cut == cut[3, 4])


def test_keyboard_and_hover(page):
    page.locator('#stage').focus()
    before = state(page)[0]
    page.keyboard.press(']')
    assert state(page)[0] == before + 1
    page.keyboard.press('ArrowLeft')
    page.keyboard.press('Enter')
    assert state(page)[1] == 1
    page.keyboard.press('Enter')
    assert page.locator('#path button').count() == 2
    page.keyboard.press('Backspace')
    assert page.locator('#path button').count() == 1
    page.keyboard.press('Escape')
    assert state(page)[1] == 0

    def marked():
        return page.evaluate("""() => {
            const c = document.getElementById('marks');
            const {data} = c.getContext('2d').getImageData(
                0, 0, c.width, c.height);
            return data.some((value, i) => i % 4 === 0 && value === 34);
        }""")

    page.mouse.move(0, 0)
    assert not marked()
    box = page.locator('#paint').bounding_box()
    page.mouse.move(box['x'] + box['width'] / 2, box['y'] + box['height'] / 2)
    assert marked()


@pytest.mark.parametrize('width', [1440, 390])
def test_accessibility(page, width):
    axe = pytest.importorskip('axe_playwright_python.sync_playwright')
    page.set_viewport_size(dict(width=width, height=844))
    click(page, .3, .3)
    assert page.evaluate(
        'document.documentElement.scrollWidth <= innerWidth')
    results = axe.Axe().run(page)
    assert not results.violations_count, results.generate_report()


def slider_step(page):
    """The median of fifty steps, in milliseconds."""
    return page.evaluate("""() => {
        const slider = document.querySelector('input[type=range]');
        const times = [];
        for (let i = 1; i <= 50; i++) {
            slider.value = i;
            const start = performance.now();
            slider.dispatchEvent(new Event('input'));
            times.push(performance.now() - start);
        }
        return times.sort((a, b) => a - b)[25];
    }""")


def test_steps_redraw_what_changes(page):
    """Quickly, and what they leave is what a page of that step shows."""
    read = """() => {
        const {width, height} = document.getElementById('paint');
        return [...document.getElementById('paint').getContext('2d')
            .getImageData(0, 0, width, height).data];
    }"""
    assert slider_step(page) < 50
    set_segments(page, 7)
    stepped = page.evaluate(read)
    page.locator('#mode').select_option('mean')
    page.locator('#mode').select_option('tree')
    assert page.evaluate(read) == stepped


@pytest.mark.slow
def test_photograph_of_12_megapixels(browser, tmp_path):
    """Its page is small and quick; downloads have its size."""
    path = tmp_path / 'photo.jpg'
    make_mosaic(4000, 3000).save(path, quality=85)
    result, = HierarchyInferencer(show_progress=False)(
        path, return_vis=False)['predictions']
    with opened(browser, result, tmp_path / 'page.html') as page:
        assert (tmp_path / 'page.html').stat().st_size < 5e6
        assert slider_step(page) < 50
        set_segments(page, 9)
        click(page, .1, .1)
        picture = Image.open(io.BytesIO(downloaded(page, '#save-mask')))
        mask, cut = np.asarray(picture.convert('L')) > 0, result.cut(9)
        # The view has half of the rows and columns.
        assert mask.shape == cut.shape
        assert (mask == (cut == cut[300, 400])).mean() > .99
