"""Who takes part in the seeded market. Invented names; each key is the keyring's of the label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from chain.keys import Keyring
from registry.accounts import AccountKind, Profile


@dataclass(frozen=True, slots=True)
class Seat:
    """A member before there is a keyring: label, name, kind and public facts."""

    label: str
    name: str
    kind: AccountKind
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def profile(self) -> Profile:
        """What is publicly said of the member; of a person, what stays with the person."""
        return Profile(self.name, self.kind, self.facts)


@dataclass(frozen=True, slots=True)
class Member:
    """A member with an account."""

    role: str
    label: str
    name: str
    address: str


REGULATOR: Final = "regulator"
BANK: Final = "bank"
POWER: Final = "firm:jiangbei"
CEMENT: Final = "firm:minghu"
STEEL: Final = "firm:dongling"
PAPER: Final = "firm:qinghe"
VERIFIER: Final = "verifier:hengzheng"
TRADER: Final = "trader:liangcheng"
DEVELOPER: Final = "developer:qinglin"
BUS: Final = "provider:yuncheng"
PEOPLE: Final = ("person:lin", "person:wang", "person:zhao")

MEMBERS: Final = (
    Seat(REGULATOR, "生态环境主管部门 Competent authority", AccountKind.REGULATOR),
    Seat(POWER, "江北热电 Jiangbei Heat and Power", AccountKind.FIRM, {"sector": "power"}),
    Seat(CEMENT, "明湖水泥 Minghu Cement", AccountKind.FIRM, {"sector": "building materials"}),
    Seat(STEEL, "东岭钢铁 Dongling Steel", AccountKind.FIRM, {"sector": "steel"}),
    Seat(PAPER, "青禾造纸 Qinghe Paper", AccountKind.FIRM, {"sector": "paper"}),
    Seat(VERIFIER, "衡正核查 Hengzheng Verification", AccountKind.VERIFIER),
    Seat(DEVELOPER, "青林林业 Qinglin Forestry", AccountKind.DEVELOPER, {"method": "afforestation"}),
    Seat(TRADER, "两成碳资产 Liangcheng Carbon Assets", AccountKind.TRADER),
    Seat(BANK, "清算银行 Settlement bank", AccountKind.BANK),
    Seat(BUS, "云城定制公交 Yuncheng Custom Bus", AccountKind.PROVIDER, {"acts": "custom bus"}),
    Seat(PEOPLE[0], "林晓 Lin Xiao", AccountKind.PERSON),
    Seat(PEOPLE[1], "王宁 Wang Ning", AccountKind.PERSON),
    Seat(PEOPLE[2], "赵一 Zhao Yi", AccountKind.PERSON),
)


def members_of(keyring: Keyring) -> list[Member]:
    """Return the seeded members with their accounts."""
    return [
        Member(seat.kind.text, seat.label, seat.name, keyring.signer(seat.label).address) for seat in MEMBERS
    ]
