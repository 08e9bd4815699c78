"""The `carat` command: one module a subcommand.

What is refused is said in one line, `error: Code: a=1 b=2`, and ends with exit code 2. With `--json` results
go to standard output as JSON, refusals as `{"error": {...}}`; progress always goes to standard error.
"""

from __future__ import annotations

import sys

from api.cli.app import app
from api.cli.output import print_refusal
from chain.refusals import Refusal

__all__ = ["app", "main"]


class SystemRefused(Refusal):
    """The operating system refuses this."""


def main() -> None:
    """Run the command that the arguments name."""
    try:
        app()
    except Refusal as refusal:
        print_refusal(refusal, as_json="--json" in sys.argv)
        sys.exit(2)
    except OSError as error:
        reason = error.strerror or str(error)
        print_refusal(
            SystemRefused(reason=reason, path=str(error.filename or "")), as_json="--json" in sys.argv
        )
        sys.exit(2)
