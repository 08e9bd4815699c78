"""Found: a withdrawal under the nil UUID took the amount out of trading and could never be paid out.

On chain the id of zeros is none: it marks a forced exit, and Clearing refuses to release under it.
"""

from __future__ import annotations

from uuid import UUID

import pytest

from exchange.client import request_withdrawal
from exchange.gateway.wire.names import Names
from exchange.gateway.wire.parse import Context, parse_command
from exchange.refusals import CommandMalformed
from exchange.venue import Venue
from tests.exchange.world import opening

ACCOUNT = "0x" + "41" * 20


def test_a_withdrawal_must_have_an_id_that_is_not_nil() -> None:
    venue = Venue()
    venue.apply(opening())
    context = Context(Names(venue), venue, 1)
    with pytest.raises(CommandMalformed, match="withdrawal_id"):
        parse_command(request_withdrawal(UUID(int=0), ACCOUNT, "cash", 100), context)
    assert parse_command(request_withdrawal(UUID(int=1), ACCOUNT, "cash", 100), context).records
