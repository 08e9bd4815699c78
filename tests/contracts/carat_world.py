"""A small world of deployed contracts for the tests: who is there, how they sign, how a refusal is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import brownie
from brownie import accounts, web3
from brownie.network.account import Account
from brownie.network.contract import Contract, ContractTx
from eth_abi import decode, encode
from eth_account import Account as Keys
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_checksum_address

ARTIFACTS = Path(__file__).resolve().parents[2] / "chain" / "artifacts"
NAMES = ("CarbonLedger", "Compliance", "Verification", "SettlementCash", "Clearing", "MicroCarat")

FIRM, VERIFIER, PERSON, REGULATOR, DEVELOPER, PROVIDER, BANK, TRADER, CONTRACT = range(1, 10)
ROLES = {
    "REGULATOR": (1, {
        "CarbonLedger": ["setFrozen"],
        "Verification": ["accredit", "revoke", "declareConflict"],
        "Compliance": ["publishPeriod", "allocate", "publishReferencePrice"],
        "MicroCarat": ["accreditProvider"],
    }),
    "REGISTRAR": (2, {"CarbonLedger": ["openAccounts"], "Verification": ["registerProject"]}),
    "BANK": (3, {"SettlementCash": ["mint"]}),
    "EXCHANGE": (4, {"Clearing": ["settle", "unwind", "release"]}),
    "POINTS": (5, {"MicroCarat": ["publishEpoch"]}),
    "ISSUER": (10, {"CarbonLedger": ["issue"]}),
    "RETIRER": (11, {"CarbonLedger": ["retire"]}),
    "VERIFIED_WRITER": (12, {"Compliance": ["recordVerified"]}),
}  # fmt: skip

ZERO = bytes(32)
PERIOD = 2026
CAP_T = 1_000_000
OFFSET_CAP_PPM = 50_000
PENALTY_MULTIPLE = 5
MOST = 2**63 - 1  # tonnes of a unit, fen in all: what the projection and the API can carry
_ids = count(1)


def fresh_id() -> bytes:
    """A request id that no test has used."""
    return keccak(text=f"request {next(_ids)}")


def root_of(text: str) -> bytes:
    return keccak(text=text)


def allowance(vintage: int = PERIOD) -> int:
    return 1 << 80 | vintage << 64


def offset(vintage: int = PERIOD, project: int = 7, batch: int = 1) -> int:
    return 2 << 80 | vintage << 64 | project << 32 | batch


@dataclass
class World:
    """Every contract, and an account for every part."""

    manager: Contract
    ledger: Contract
    compliance: Contract
    verification: Contract
    cash: Contract
    clearing: Contract
    points: Contract
    admin: Account  # also holds every office: the tests of rights use strangers
    firm: Account
    other_firm: Account
    third_firm: Account
    person: Account
    developer: Account
    stranger: Account
    verifier: LocalAccount
    deadline: int

    @property
    def office(self) -> dict[str, Account]:
        return {"from": self.admin}

    def publish(self, period: int = PERIOD, **changes: Any) -> tuple:
        """Publish a period; `changes` to the usual rules by name."""
        rules = {
            "period": period, "deadline": self.deadline, "capT": CAP_T, "offsetCapPpm": OFFSET_CAP_PPM,
            "penaltyMultiple": PENALTY_MULTIPLE, "cumulative": False,
        } | changes  # fmt: skip
        self.compliance.publishPeriod(tuple(rules.values()), self.office)
        return tuple(rules.values())

    def allocate(self, entity: Account, quantity_t: int, period: int = PERIOD) -> None:
        self.compliance.allocate(period, [(entity, quantity_t)], fresh_id(), self.office)

    def verify(self, entity: Account, verified_t: int, period: int = PERIOD) -> bytes:
        """Bring a report and its statement: the entity then owes `verified_t`. Returns the statement's id."""
        statement, signature = self.signed_statement(entity, verified_t, period)
        self.verification.acceptEmissionStatements([statement], [signature], self.office)
        return statement[0]

    def file_report(self, entity: Account, period: int = PERIOD, evidence: str = "evidence") -> bytes:
        report_id = fresh_id()
        self.verification.fileReport(
            report_id, period, root_of(evidence), root_of("report"), 0, {"from": entity}
        )
        return report_id

    def signed_statement(
        self,
        entity: Account,
        verified_t: int,
        period: int = PERIOD,
        key: LocalAccount | None = None,
        **changes: Any,
    ) -> tuple[tuple, bytes]:
        """A filed report and the statement on it, signed by `key`. `changes` to the statement, by name."""
        statement = {
            "statementId": fresh_id(), "reportId": ZERO, "entity": entity.address, "period": period,
            "evidenceRoot": root_of("evidence"), "verifiedT": verified_t,
            "documentHash": root_of("statement"), "verifier": self.verifier.address,
        } | changes  # fmt: skip
        if statement["reportId"] == ZERO:
            statement["reportId"] = self.file_report(entity, period)
        return tuple(statement.values()), self.sign("EmissionStatement", statement, key or self.verifier)

    def signed_reduction(self, **changes: Any) -> tuple[tuple, bytes]:
        statement = {
            "statementId": fresh_id(), "projectId": 7, "vintage": PERIOD, "batch": 1,
            "evidenceRoot": root_of("evidence"), "baselineT": 1_000, "projectT": 300, "leakageT": 50,
            "documentHash": root_of("statement"), "verifier": self.verifier.address,
        } | changes  # fmt: skip
        return tuple(statement.values()), self.sign("ReductionStatement", statement, self.verifier)

    def sign(self, primary: str, message: dict[str, Any], key: LocalAccount) -> bytes:
        """EIP-712, by the book: eth_account computes what the contract must agree with."""
        domain = {
            "name": "CARAT", "version": "1", "chainId": web3.eth.chain_id,
            "verifyingContract": self.verification.address,
        }  # fmt: skip
        types = {primary: [{"name": name, "type": kind} for kind, name in _FIELDS[primary]]}
        return bytes(key.sign_typed_data(domain, types, message).signature)

    def give_units(self, owner: Account, quantity_t: int, unit: int) -> None:
        """Units from the issuing office directly, where a test is not about how they come into being."""
        self.ledger.issue(unit, [(owner, quantity_t)], fresh_id(), self.office)

    def give_cash(self, owner: Account, amount_fen: int) -> None:
        self.cash.mint([(owner, amount_fen)], fresh_id(), self.office)

    def deposit_units(
        self, owner: Account, unit: int, quantity_t: int, request_id: bytes | None = None
    ) -> Any:
        data = encode(["bytes32"], [request_id or fresh_id()])
        return self.ledger.safeTransferFrom(owner, self.clearing, unit, quantity_t, data, {"from": owner})

    def deposit_cash(self, owner: Account, amount_fen: int, request_id: bytes | None = None) -> Any:
        data = encode(["bytes32"], [request_id or fresh_id()])
        return self.cash.transferAndCall(self.clearing, amount_fen, data, {"from": owner})

    def settle(
        self, epoch: int, deltas: list[tuple], chunk: int = 0, chunks: int = 1, tape: str = "tape"
    ) -> Any:
        return self.clearing.settle(epoch, chunk, chunks, root_of(tape), deltas, self.office)

    def supply(self, unit: int) -> tuple[int, int, int]:
        """Tonnes issued, surrendered, cancelled."""
        return tuple(int(part) for part in self.ledger.supplyOf(unit))

    def obligation(self, entity: Account, period: int = PERIOD) -> dict[str, int]:
        names = ("dueT", "surrenderedT", "offsetsT", "verified", "assessed", "shortfallT", "penaltyFen")
        return {
            name: int(part)
            for name, part in zip(names, self.compliance.obligationOf(entity, period), strict=True)
        }

    def held_t(self, unit: int, holders: list[Any]) -> int:
        return sum(self.ledger.balanceOf(holder, unit) for holder in holders)


_FIELDS = {
    "EmissionStatement": [
        ("bytes32", "statementId"), ("bytes32", "reportId"), ("address", "entity"), ("uint16", "period"),
        ("bytes32", "evidenceRoot"), ("uint256", "verifiedT"), ("bytes32", "documentHash"),
        ("address", "verifier"),
    ],
    "ReductionStatement": [
        ("bytes32", "statementId"), ("uint32", "projectId"), ("uint16", "vintage"), ("uint32", "batch"),
        ("bytes32", "evidenceRoot"), ("uint256", "baselineT"), ("uint256", "projectT"),
        ("uint256", "leakageT"), ("bytes32", "documentHash"), ("address", "verifier"),
    ],
}  # fmt: skip


def make_world() -> World:
    """Deploy all contracts, give every right to its role, and every office's role to the administrator."""
    project = brownie.project.get_loaded_projects()[0]
    admin = accounts[0]
    manager = _deploy_manager(admin)
    ledger = project["CarbonLedger"].deploy(manager, {"from": admin})
    compliance = project["Compliance"].deploy(manager, ledger, {"from": admin})
    verification = project["Verification"].deploy(manager, ledger, compliance, {"from": admin})
    cash = project["SettlementCash"].deploy(manager, ledger, {"from": admin})
    clearing = project["Clearing"].deploy(manager, ledger, cash, {"from": admin})
    points = project["MicroCarat"].deploy(manager, {"from": admin})
    contracts = dict(zip(NAMES, (ledger, compliance, verification, cash, clearing, points), strict=True))
    for role, rights in ROLES.values():
        manager.grantRole(role, admin, 0, {"from": admin})
        for name, functions in rights.items():
            selectors = [contracts[name].signatures[function] for function in functions]
            manager.setTargetFunctionRole(contracts[name], selectors, role, {"from": admin})
    for name, role in (("Compliance", 10), ("Verification", 10), ("Compliance", 11), ("Verification", 12)):
        manager.grantRole(role, contracts[name], 0, {"from": admin})
    verifier = Keys.from_key(keccak(text="verifier"))
    kinds = [FIRM, FIRM, FIRM, PERSON, DEVELOPER]
    openings = [(accounts[place + 1], kind, root_of(str(kind))) for place, kind in enumerate(kinds)]
    openings += [(clearing, CONTRACT, ZERO), (verifier.address, VERIFIER, ZERO)]
    ledger.openAccounts(openings, {"from": admin})
    deadline = brownie.chain.time() + 365 * 24 * 3600
    verification.accredit(verifier.address, deadline, fresh_id(), {"from": admin})
    return World(
        manager,
        ledger,
        compliance,
        verification,
        cash,
        clearing,
        points,
        admin,
        *accounts[1:7],
        verifier,
        deadline,
    )


def _deploy_manager(admin: Account) -> Contract:
    """OpenZeppelin's own contract: brownie does not compile it, the committed artifact has it."""
    artifact = _artifact("AccessManager")
    code = artifact["bytecode"] + encode(["address"], [admin.address]).hex()
    receipt = admin.transfer(data=code)
    return Contract.from_abi("AccessManager", receipt.contract_address, artifact["abi"])


def _artifact(name: str) -> dict[str, Any]:
    return json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))


def take_snapshot() -> str:
    """Ask the node itself: brownie keeps one snapshot only, and collects garbage at each return to it."""
    return web3.provider.make_request("evm_snapshot", [])["result"]


def return_to(snapshot: str) -> None:
    assert web3.provider.make_request("evm_revert", [snapshot])["result"]
    brownie.history.clear()  # else brownie waits for the nonces of what is undone
    brownie.chain.sleep(0)  # and this makes it ask how late it is


def refusal(function: ContractTx, *args: Any, by: Account) -> tuple[str, dict[str, Any]]:
    """Ask the node what a transaction would be refused with: the error's name and facts, by its ABI."""
    transaction = {"from": by.address, "to": function._address, "data": function.encode_input(*args)}
    answer = web3.provider.make_request("eth_call", [transaction, "latest"])
    assert "error" in answer, f"not refused: {answer}"
    data = bytes.fromhex(answer["error"]["data"][2:])
    error = _errors()[data[:4]]
    values = decode([part["type"] for part in error["inputs"]], data[4:])
    facts = {
        part["name"]: _shown(part["type"], value) for part, value in zip(error["inputs"], values, strict=True)
    }
    return error["name"], facts


def refused(name: str, **facts: Any) -> tuple[str, dict[str, Any]]:
    """What `refusal` should say."""
    return name, {key: _plain(value) for key, value in facts.items()}


def _errors() -> dict[bytes, dict[str, Any]]:
    if not _known_errors:
        for path in ARTIFACTS.glob("*.json"):
            for part in json.loads(path.read_text(encoding="utf-8"))["abi"]:
                if part["type"] == "error":
                    signature = f"{part['name']}({','.join(given['type'] for given in part['inputs'])})"
                    _known_errors[keccak(text=signature)[:4]] = part
    return _known_errors


_known_errors: dict[bytes, dict[str, Any]] = {}


def _shown(kind: str, value: Any) -> Any:
    return to_checksum_address(value) if kind == "address" else value


def _plain(value: Any) -> Any:
    return getattr(value, "address", value)
