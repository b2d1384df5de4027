"""Settings of Sphinx: python -m sphinx -W -b html docs docs/_build."""

import mmhierseg  # first: repairs the installed stack

project = 'MMHierSeg'
author = 'MMHierSeg contributors'
copyright = author
version = release = mmhierseg.__version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
]
exclude_patterns = ['_build', 'scripts']

# Links to headings, as GitHub makes them: data.md#imagenet.
myst_heading_anchors = 3

autodoc_member_order = 'bysource'
autodoc_typehints = 'none'  # The docstrings name types, and shapes with them.
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # Fields of named tuples are documented once.

# Only what is typed is copied: no prompts, no results.
copybutton_prompt_text = r'>>> |\.\.\. |\$ '
copybutton_prompt_is_regexp = True

# Quotes of values such as 'small' stay as they are typed.
smartquotes = False

html_theme = 'furo'
html_title = f'{project} {version}'
