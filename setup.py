"""Packaging: what ``pip install`` builds.

Everything is usual but one step. MMEngine looks the configs of an installed
package up in its folder ``.mim`` (``_base_ = 'mmhierseg::cast/...'``), and so
does ``mim`` with the tools. A wheel gets copies; an editable installation
gets links, so that an edited config is the one that is found.
"""

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PACKAGE = 'mmhierseg'
MIM_CONTENT = ('configs', 'tools', 'model-index.yml')
# They set up or test a checkout.
CHECKOUT_ONLY = ('setup_env.sh', 'run_tests.sh', 'quickstart.sh')


class BuildWithMim(build_py):
    """Add the folder ``.mim`` to the package that is built."""

    def run(self) -> None:
        """Build as usual, then add the folder."""
        super().run()
        if self.editable_mode:
            put_mim(ROOT / PACKAGE / '.mim', link=True)
        else:
            put_mim(Path(self.build_lib) / PACKAGE / '.mim', link=False)


def put_mim(folder: Path, link: bool) -> None:
    """Make the folder ``.mim``, anew if it is there.

    Args:
        folder (Path): The folder to make.
        link (bool): Whether its entries are relative links to the repository
            rather than copies. Where the system denies links, they are
            copies.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in MIM_CONTENT:
        source, target = ROOT / name, folder / name
        if link:
            try:
                target.symlink_to(os.path.relpath(source, folder))
                continue
            except OSError:
                print(f'Copying {name}: links are not allowed here. Install '
                      'again after changing it.')
        if source.is_dir():
            shutil.copytree(
                source,
                target,
                ignore=shutil.ignore_patterns('__pycache__', *CHECKOUT_ONLY))
        else:
            shutil.copyfile(source, target)


def read_version() -> str:
    """Read the version without importing the package."""
    scope = {}
    exec((ROOT / PACKAGE / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


def read_description() -> str:
    """Read the README, without links into the repository.

    They would lead nowhere on the page of a package.
    """
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    text = re.sub(r'^!\[[^\]]*\]\((?!https?:)[^)]*\)\n', '', text, flags=re.M)
    return re.sub(r'\[([^\]]*)\]\((?!https?:)[^)]*\)', r'\1', text)


def read_requirements(name: str) -> list:
    """Read one file of ``requirements/``.

    Args:
        name (str): Its name without the suffix.

    Returns:
        list[str]: One requirement per entry, without the comments.
    """
    text = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8')
    lines = (line.partition('#')[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


setup(
    name=PACKAGE,
    version=read_version(),
    description='Hierarchical image segmentation (CAST, HSG) for MMEngine, '
    'MMPretrain and MMSegmentation',
    long_description=read_description(),
    long_description_content_type='text/markdown',
    author='MMHierSeg contributors',
    project_urls={
        'Paper (CAST)': 'https://arxiv.org/abs/2210.00314',
        'Paper (HSG)': 'https://arxiv.org/abs/2204.11432',
    },
    keywords='computer vision, hierarchical segmentation, superpixels, '
    'self-supervised learning',
    license='Apache-2.0',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={
        PACKAGE: ['py.typed', 'weights/*', 'visualization/templates/*']
    },
    entry_points=dict(
        console_scripts=['mmhierseg = mmhierseg.cli.main:main']),
    cmdclass={'build_py': BuildWithMim},
    python_requires='>=3.10',
    # Not the OpenMMLab packages: the original and the OneDL builds have the
    # same import names and cannot both be installed, so the choice is the
    # user's.
    install_requires=read_requirements('runtime'),
    extras_require={
        name: read_requirements(name)
        for name in ('onedl', 'speed', 'export', 'timm', 'clip', 'sam',
                     'tests', 'docs')
    },
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    zip_safe=False,
)
