"""A browser for the tests of pages."""

import os
import shutil

import pytest


@pytest.fixture(scope='module')
def browser():
    playwright = pytest.importorskip('playwright.sync_api')
    chromium = shutil.which('chromium')
    if chromium is None:
        assert 'MMHIERSEG_NEEDS_CHROMIUM' not in os.environ
        pytest.skip('needs Chromium: apt-get install chromium')
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium,
                                         args=['--no-sandbox'])
        yield browser
        browser.close()
