"""SettlementCash: minted against real money, redeemed once."""

import pytest
from carat_world import MOST, World, fresh_id, refusal, refused
from eth_abi import encode


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


def test_all_cash_together_fits_into_64_bits(world: World) -> None:
    world.cash.mint([(world.firm, MOST - 5), (world.other_firm, 5)], fresh_id(), world.office)
    assert world.cash.totalSupply() == MOST
    got = refusal(world.cash.mint, [(world.firm, 1)], fresh_id(), by=world.admin)
    assert got == refused("CashSupplyExceeded", supplyFen=MOST, requestedFen=1, maxFen=MOST)
    world.cash.redeem(1, fresh_id(), {"from": world.firm})
    world.give_cash(world.other_firm, 1)  # what was paid out makes room


@pytest.mark.parametrize("second_fen", [MOST - 9, 2**256 - 1])
def test_a_mint_is_refused_whole_where_its_sum_is_too_much(world: World, second_fen: int) -> None:
    credits_fen = [(world.firm, 10), (world.firm, second_fen)]
    got = refusal(world.cash.mint, credits_fen, fresh_id(), by=world.admin)
    assert got == refused("CashSupplyExceeded", supplyFen=10, requestedFen=second_fen, maxFen=MOST)


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


def test_cash_goes_from_holder_to_holder(world: World) -> None:
    world.give_cash(world.firm, 100)
    world.cash.transfer(world.other_firm, 30, {"from": world.firm})
    world.cash.approve(world.third_firm, 20, {"from": world.firm})
    world.cash.transferFrom(world.firm, world.other_firm, 20, {"from": world.third_firm})
    assert [world.cash.balanceOf(firm) for firm in (world.firm, world.other_firm)] == [50, 50]


def test_a_contracts_account_takes_no_cash_without_a_call(world: World) -> None:
    world.give_cash(world.firm, 100)
    world.cash.approve(world.other_firm, 100, {"from": world.firm})
    plain = {"from": world.firm, "to": world.clearing, "amountFen": 5}
    got = refusal(world.cash.transfer, world.clearing, 5, by=world.firm)
    assert got == refused("CashPlainTransferToContract", **plain)
    got = refusal(world.cash.transferFrom, world.firm, world.clearing, 5, by=world.other_firm)
    assert got == refused("CashPlainTransferToContract", **plain)
    nobody = "0x" + "00" * 20
    got = refusal(world.cash.mint, [(world.clearing, 5)], fresh_id(), by=world.admin)
    assert got == refused("CashPlainTransferToContract", **(plain | {"from": nobody}))


def test_a_call_without_an_id_is_no_way_round(world: World) -> None:
    world.give_cash(world.firm, 100)
    world.cash.approve(world.other_firm, 100, {"from": world.firm})
    missing = refused("ClearingRequestIdMissing")
    assert refusal(world.cash.transferAndCall["address,uint256"], world.clearing, 5, by=world.firm) == missing
    function = world.cash.transferFromAndCall["address,address,uint256"]
    assert refusal(function, world.firm, world.clearing, 5, by=world.other_firm) == missing


def test_an_allowance_pays_a_deposit_for_its_owner(world: World) -> None:
    world.give_cash(world.firm, 100)
    world.cash.approve(world.other_firm, 60, {"from": world.firm})
    function = world.cash.transferFromAndCall["address,address,uint256,bytes"]
    deposit = (world.firm, world.clearing, 60, encode(["bytes32"], [fresh_id()]))
    function(*deposit, {"from": world.other_firm})
    assert world.clearing.cashOf(world.firm) == 60
    got = refusal(function, *deposit, by=world.other_firm)
    assert got == refused("ERC20InsufficientAllowance", spender=world.other_firm, allowance=0, needed=60)


def test_a_wallet_that_is_a_contract_takes_cash_like_anybody(world: World) -> None:
    """Code alone is no refusal: a firm's account may be a contract, and must be paid what is its own."""
    wallet = world.compliance.address  # has code, and is no contract's account
    world.give_cash(world.firm, 100)
    world.cash.transfer(wallet, 5, {"from": world.firm})
    assert world.cash.balanceOf(wallet) == 5
