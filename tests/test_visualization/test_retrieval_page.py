"""The page whose segments answer with similar ones, in a browser."""

import numpy as np
import pytest

from mmhierseg.visualization import LevelImage, retrieval_page

NAME = '</script><script>document.title = "x"</script>'


def level_image(seed, name, size=(60, 90)):
    """Six segments, in two coarser ones."""
    rng = np.random.default_rng(seed)
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, (2, 3)))
    fine = rows[:, None] * 3 + columns
    return LevelImage(rng.integers(0, 256, (*size, 3), np.uint8),
                      [fine, fine // 3], name)


@pytest.fixture
def page(browser, tmp_path):
    """The page from the disk, without a network."""
    others = [level_image(1, '<b>cat</b>'), level_image(2, 'dog', (80, 40))]
    neighbors = [
        {i: [(i % 2, i, 0.9), (1, 5 - i, 0.5 - i / 10)] for i in range(5)},
        {i: [(0, i, 0.7)] for i in range(2)}]
    path = tmp_path / 'page.html'
    path.write_text(
        retrieval_page(level_image(0, NAME), others, neighbors, level=1,
                       point=(80, 50)), encoding='utf-8')
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.errors, page.requests = [], []
    page.on('pageerror', lambda error: page.errors.append(str(error)))
    page.on('request', lambda request: page.requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function('document.body.dataset.selected')
    yield page
    assert not page.errors
    assert all(url.startswith(('file:', 'data:')) for url in page.requests)
    context.close()


def wait(page, level, selected, neighbors):
    page.wait_for_function(
        'x => JSON.stringify(document.body.dataset) === x', arg=(
            f'{{"level":"{level}","selected":"{selected}",'
            f'"neighbors":"{neighbors}"}}'))


def click(page, x, y):
    box = page.locator('#query').bounding_box()
    page.mouse.click(box['x'] + x * box['width'],
                     box['y'] + y * box['height'])


def test_page_answers(page):
    # Names are text.
    assert page.title() == NAME == page.locator('h1').inner_text()
    wait(page, 1, 1, 1)  # The point it starts from.
    click(page, .1, .1)
    wait(page, 1, 0, 1)
    assert page.locator('#found li').inner_text().split(None, 1) == [
        '0.70', '<b>cat</b>']
    page.locator('#level').select_option('Level 0')
    wait(page, 0, 0, 2)
    click(page, .5, .1)
    wait(page, 0, 1, 2)
    assert page.locator('#found li').all_inner_texts() == [
        '0.90 dog', '0.40 dog']
    assert 'cosines 0.90 to 0.40' in page.locator('[role=status]').inner_text()
    # The segment is bright, with an outline that runs along the border.
    colors = page.evaluate("""() => {
        const c = document.querySelector('#found canvas');
        const get = (x, y) => [...c.getContext('2d').getImageData(
            x, y, 1, 1).data];
        return [c.width, c.height, get(20, 0), get(2, 60)];
    }""")
    assert colors[:2] == [40, 80] and colors[2][:3] == [255, 214, 10]
    assert len(set(colors[3][:3])) == 1
    click(page, .95, .95)  # Without neighbours.
    wait(page, 0, -1, 0)
    page.locator('#stage').focus()
    page.keyboard.press('ArrowUp')
    page.keyboard.press('Enter')
    wait(page, 0, 1, 2)
    page.keyboard.press(']')
    wait(page, 1, 0, 1)


@pytest.mark.parametrize('width', [1440, 390])
def test_accessibility(page, width):
    axe = pytest.importorskip('axe_playwright_python.sync_playwright')
    page.set_viewport_size(dict(width=width, height=844))
    assert page.evaluate(
        'document.documentElement.scrollWidth <= innerWidth')
    results = axe.Axe().run(page)
    assert not results.violations_count, results.generate_report()
