"""The same stories on the event loop of the product, which ends connections in another way."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest

from tests.exchange.binary import test_handshake, test_hostile, test_streaming
from tests.exchange.binary.conftest import Exchange, opened

uvloop = pytest.importorskip("uvloop")

WITH_AN_EXCHANGE = [
    test_handshake.test_a_member_is_told_where_it_is,
    test_handshake.test_a_replayed_proof_is_refused,
    test_handshake.test_commands_in_place_of_the_proof_reach_nobody,
    test_handshake.test_an_account_has_so_many_sessions_and_others_still_get_in,
    test_streaming.test_pipelined_runs_are_answered_in_order_with_the_gateways_own_answers,
    test_streaming.test_terms_wait_for_their_order,
    test_streaming.test_everybody_hears_everything_once_and_in_order,
    test_streaming.test_a_failing_journal_is_the_last_word,
    test_streaming.test_orders_go_with_the_line_if_the_client_asked_for_it,
    test_streaming.test_orders_go_when_the_gateway_closes,
    test_hostile.test_one_byte_at_a_time_is_as_good_as_all_at_once,
    test_hostile.test_garbage_from_a_member_is_answered_record_by_record,
    test_hostile.test_random_bytes_for_some_seconds,
]
ALONE = [
    test_handshake.test_a_closed_gateway_tells_its_members_and_takes_nobody,
    test_hostile.test_a_slow_loris_is_ended_however_it_drips,
    test_hostile.test_a_flood_of_connections_is_bounded_and_a_member_gets_in,
    test_hostile.test_an_idle_member_is_ended_and_one_that_shows_life_is_not,
    test_hostile.test_no_more_is_taken_than_may_be_in_flight,
    test_hostile.test_a_client_that_does_not_read_is_cut_off_and_others_live_on,
    test_hostile.test_a_client_that_only_sends_is_not_read_any_more,
]


def name(story: Callable[..., object]) -> str:
    return story.__name__.removeprefix("test_")


@pytest.mark.parametrize("story", WITH_AN_EXCHANGE, ids=name)
def test_on_uvloop(story: Callable[[Exchange], Awaitable[None]], caplog: pytest.LogCaptureFixture) -> None:
    async def tell() -> None:
        async with opened() as exchange:
            await story(exchange)

    uvloop.run(tell())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("story", ALONE, ids=name)
def test_alone_on_uvloop(story: Callable[[], Awaitable[None]], caplog: pytest.LogCaptureFixture) -> None:
    uvloop.run(story())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
