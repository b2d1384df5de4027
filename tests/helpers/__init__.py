"""What tests share.

Processes that tests start import it before anything else, as `conftest.py`
does for the tests: the package repairs the installed stack.
"""

import mmhierseg  # noqa: F401
