"""This node without its bounds on time, which the other node does not have: a slow machine is no difference.

Bounds on gas, sizes and numbers stay. Run as `python -m`, with the node's own arguments.
"""

from __future__ import annotations

import sys

from chain.node import builder, calls
from chain.node.__main__ import main

LONG_SECONDS = 600.0

if __name__ == "__main__":
    builder.BLOCK_SECONDS = builder.TRANSACTION_SECONDS = calls.CALL_SECONDS = LONG_SECONDS
    sys.exit(main())
