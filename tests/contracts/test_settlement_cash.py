"""SettlementCash: minted against real money, redeemed once."""

from carat_world import World, fresh_id, refusal, refused


def test_cash_is_minted_by_the_bank_and_counted_in_fen(world: World) -> None:
    mint = world.cash.mint([(world.firm, 12_345), (world.other_firm, 5)], fresh_id(), world.office)
    assert world.cash.balanceOf(world.firm) == 12_345
    assert world.cash.totalSupply() == 12_350
    assert world.cash.decimals() == 2
    assert [int(event["amountFen"]) for event in mint.events["CashMinted"]] == [12_345, 5]


def test_a_mint_sent_again_changes_nothing(world: World) -> None:
    request_id = fresh_id()
    for _ in range(2):
        world.cash.mint([(world.firm, 100)], request_id, world.office)
    assert world.cash.totalSupply() == 100
    assert world.cash.isDone(request_id)


def test_another_mint_under_a_used_id_is_refused(world: World) -> None:
    request_id = fresh_id()
    world.cash.mint([(world.firm, 100)], request_id, world.office)
    name, facts = refusal(world.cash.mint, [(world.firm, 101)], request_id, by=world.admin)
    assert (name, facts["requestId"]) == ("RequestIdReused", request_id)


def test_cash_is_redeemed_once_an_id(world: World) -> None:
    world.give_cash(world.firm, 1_000)
    request_id = fresh_id()
    for _ in range(2):
        world.cash.redeem(300, request_id, {"from": world.firm})
    assert world.cash.balanceOf(world.firm) == 700
    assert world.cash.totalSupply() == 700


def test_more_cash_than_there_is_cannot_be_redeemed(world: World) -> None:
    world.give_cash(world.firm, 1_000)
    got = refusal(world.cash.redeem, 1_001, fresh_id(), by=world.firm)
    assert got == refused("ERC20InsufficientBalance", sender=world.firm, balance=1_000, needed=1_001)


def test_a_redemption_of_nothing_is_refused(world: World) -> None:
    assert refusal(world.cash.redeem, 0, fresh_id(), by=world.firm) == refused("CashZeroAmount")


def test_one_id_serves_two_holders(world: World) -> None:
    request_id = fresh_id()
    for firm, fen in ((world.firm, 10), (world.other_firm, 20)):
        world.give_cash(firm, 100)
        world.cash.redeem(fen, request_id, {"from": firm})
    assert world.cash.totalSupply() == 170
