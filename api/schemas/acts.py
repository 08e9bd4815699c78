"""Bodies of acts on chain: what the actor wants, in words, and the same act signed.

Each body words itself as the `chain.abi.Call` that its signed transaction must carry, through
`registry.acts`; the name of the act (the client's id) stands in the URL.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.fields import (
    Address,
    Fen,
    Grams,
    Hash32,
    Number32,
    Schema,
    Signature,
    SignedTransactionHex,
    Tonnes,
    TonnesOrNone,
    UnitCode,
    UnixSeconds,
    Year,
    example,
)
from chain.abi import Call
from chain.deployment import Deployment
from chain.ids import request_id
from chain.units import UnitId
from registry import acts
from registry.accounts import AccountKind, Profile, profile_hash
from registry.documents import bytes32
from registry.mrv.statement import EmissionStatement, ReductionStatement
from registry.refusals import DocumentMalformed

_EXAMPLE_ADDRESS = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
_BATCH_MAX = 500

Asset = UnitCode | Literal["cash"]


class Signed(Schema):
    """The act again, signed at home by the actor's own key."""

    signed_transaction: SignedTransactionHex


# Firms -----------------------------------------------------------------------------------------------------


class Surrender(Schema):
    """Pay the obligation of a period with tonnes of one unit."""

    model_config = example({"period": 2026, "unit": "allowance-2026", "quantity_t": 25_000})

    period: Year
    unit: UnitCode
    quantity_t: Tonnes

    def call(self, surrender_id: UUID) -> Call:
        """Return the act."""
        return acts.surrender(self.period, UnitId.parse(self.unit), self.quantity_t, surrender_id)


class SignedSurrender(Surrender, Signed):
    """A surrender, signed by the firm."""


class Cancellation(Schema):
    """Take own tonnes out of circulation."""

    model_config = example({"unit": "offset-2026-7-1", "quantity_t": 12, "reason": "neutrality of an event"})

    unit: UnitCode
    quantity_t: Tonnes
    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]

    def call(self, cancellation_id: UUID) -> Call:
        """Return the act."""
        return acts.cancel_units(UnitId.parse(self.unit), self.quantity_t, self.reason, cancellation_id)


class SignedCancellation(Cancellation, Signed):
    """A cancellation, signed by the holder."""


class Deposit(Schema):
    """Move tonnes or cash from the registry account to the trading account."""

    model_config = example({"asset": "allowance-2026", "amount": 10_000})

    asset: Asset
    amount: Tonnes
    """Tonnes of the unit; fen when the asset is `cash`."""

    def call(self, deposit_id: UUID, owner: str, deployment: Deployment) -> Call:
        """Return the act."""
        clearing = deployment.addresses["Clearing"]
        if self.asset == "cash":
            return acts.deposit_cash(clearing, self.amount, deposit_id)
        return acts.deposit_units(owner, clearing, UnitId.parse(self.asset), self.amount, deposit_id)


class SignedDeposit(Deposit, Signed):
    """A deposit, signed by the account's owner."""


class CashRedemption(Schema):
    """Give cash back to the settlement bank, which pays out."""

    model_config = example({"amount_fen": 1_000_000})

    amount_fen: Fen

    def call(self, redemption_id: UUID) -> Call:
        """Return the act."""
        return acts.redeem_cash(self.amount_fen, redemption_id)


class SignedCashRedemption(CashRedemption, Signed):
    """A redemption of cash, signed by its holder."""


# The regulator ---------------------------------------------------------------------------------------------


class PeriodRules(Schema):
    """The cap and rules of a period, immutable once published."""

    model_config = example(
        {
            "deadline_utc": 1_830_182_400, "cap_t": 300_000, "offset_cap_ppm": 50_000,
            "penalty_multiple": 5, "cumulative": False,
        }
    )  # fmt: skip

    deadline_utc: UnixSeconds
    """The last second at which a surrender is taken."""
    cap_t: Tonnes
    offset_cap_ppm: Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
    """Share of the amount due that may be offsets, parts per million."""
    penalty_multiple: Annotated[int, Field(strict=True, ge=0, le=1_000)]
    """Times the reference price, per tonne short."""
    cumulative: bool = False
    """Balances run over the periods, as in the EU ETS."""

    def call(self, period: int) -> Call:
        """Return the act."""
        rules = acts.PeriodRules(period=period, **self.model_dump(include=set(PeriodRules.model_fields)))
        return acts.publish_period(rules)


class SignedPeriodRules(PeriodRules, Signed):
    """A period, signed by the regulator."""


class EntityTonnes(Schema):
    """Tonnes for one entity."""

    entity: Address
    quantity_t: Tonnes


class Allocation(Schema):
    """Allocate allowances of a period."""

    model_config = example(
        {"period": 2026, "allocations": [{"entity": _EXAMPLE_ADDRESS, "quantity_t": 97_000}]}
    )

    period: Year
    allocations: Annotated[list[EntityTonnes], Field(min_length=1, max_length=_BATCH_MAX)]

    def call(self, allocation_id: UUID) -> Call:
        """Return the act."""
        quantities = [(each.entity, each.quantity_t) for each in self.allocations]
        return acts.allocate(self.period, quantities, allocation_id)


class SignedAllocation(Allocation, Signed):
    """An allocation, signed by the regulator."""


class ReferencePrice(Schema):
    """The price that penalties are a multiple of."""

    model_config = example({"period": 2026, "price_fen": 8_000})

    period: Year
    price_fen: Fen

    def call(self, price_id: UUID) -> Call:
        """Return the act."""
        return acts.publish_reference_price(self.period, self.price_fen, price_id)


class SignedReferencePrice(ReferencePrice, Signed):
    """A reference price, signed by the regulator."""


class Assessment(Schema):
    """Have obligations assessed after the deadline."""

    model_config = example({"entities": [_EXAMPLE_ADDRESS]})

    entities: Annotated[list[Address], Field(min_length=1, max_length=_BATCH_MAX)]

    def call(self, period: int) -> Call:
        """Return the act."""
        return acts.assess(period, self.entities)


class SignedAssessment(Assessment, Signed):
    """An assessment, signed by who asks for it."""


class Accreditation(Schema):
    """Accredit a verifier up to a time, or end that now (`until_utc` null)."""

    model_config = example({"verifier": _EXAMPLE_ADDRESS, "until_utc": 1_900_000_000})

    verifier: Address
    until_utc: UnixSeconds | None

    def call(self, accreditation_id: UUID) -> Call:
        """Return the act."""
        if self.until_utc is None:
            return acts.revoke_verifier(self.verifier, accreditation_id)
        return acts.accredit_verifier(self.verifier, self.until_utc, accreditation_id)


class SignedAccreditation(Accreditation, Signed):
    """An accreditation, signed by the regulator."""


class Conflict(Schema):
    """Bar a verifier from an entity's reports."""

    model_config = example({"verifier": _EXAMPLE_ADDRESS, "entity": _EXAMPLE_ADDRESS})

    verifier: Address
    entity: Address

    def call(self, conflict_id: UUID) -> Call:
        """Return the act."""
        return acts.declare_conflict(self.verifier, self.entity, conflict_id)


class SignedConflict(Conflict, Signed):
    """A conflict of interest, signed by the regulator."""


class ProviderAccreditation(Schema):
    """Accredit a provider of green acts, or end that."""

    model_config = example({"provider": _EXAMPLE_ADDRESS, "accredited": True})

    provider: Address
    accredited: bool

    def call(self, accreditation_id: UUID) -> Call:
        """Return the act."""
        return acts.accredit_provider(self.provider, self.accredited, accreditation_id)


class SignedProviderAccreditation(ProviderAccreditation, Signed):
    """A provider's accreditation, signed by the regulator."""


class Freeze(Schema):
    """Freeze an account, or free it."""

    model_config = example({"account": _EXAMPLE_ADDRESS, "frozen": True})

    account: Address
    frozen: bool

    def call(self, freeze_id: UUID) -> Call:
        """Return the act."""
        return acts.set_frozen(self.account, self.frozen, freeze_id)


class SignedFreeze(Freeze, Signed):
    """A freeze, signed by the regulator."""


# The registrar and the bank --------------------------------------------------------------------------------

Kind = Literal["firm", "verifier", "person", "regulator", "developer", "provider", "bank", "trader"]
ProfileText = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Opening(Schema):
    """Open an account. A person gives a commitment instead of a profile: no personal data is kept."""

    model_config = example({"kind": "firm", "name": "Example Power", "facts": {"sector": "power"}})

    kind: Kind
    name: ProfileText | None = None
    facts: Annotated[dict[ProfileText, ProfileText], Field(max_length=40, default_factory=dict)]
    commitment: Annotated[str | None, Field(pattern=r"^0x[0-9a-f]{64}$")] = None

    def profile(self) -> Profile | None:
        """Return the public profile; None for a person. Raises DocumentMalformed."""
        if self.kind == "person" and self.commitment is not None and self.name is None and not self.facts:
            return None
        if self.kind == "person" or self.commitment is not None or self.name is None:
            raise DocumentMalformed(reason="a person has a commitment, anybody else a name", kind=self.kind)
        return Profile(self.name, AccountKind.parse(self.kind), self.facts)

    def call(self, account: str) -> Call:
        """Return the act."""
        opening = acts.Opening(account, AccountKind.parse(self.kind), self.profile_hash())
        return acts.open_accounts([opening])

    def profile_hash(self) -> bytes:
        """Return the 32 bytes that go on chain: of the profile, or a person's commitment."""
        profile = self.profile()
        return bytes.fromhex((self.commitment or "0x")[2:]) if profile is None else profile_hash(profile)


class SignedOpening(Opening, Signed):
    """An account's opening, signed by the registrar."""


class Project(Schema):
    """Register an offset project of a developer."""

    model_config = example({"developer": _EXAMPLE_ADDRESS, "document_sha256": "ab" * 32})

    developer: Address
    document_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    def call(self, project: int) -> Call:
        """Return the act. A project's number is its name, so the request id follows from it."""
        document_hash = bytes.fromhex(self.document_sha256)
        return acts.register_project(project, self.developer, document_hash, f"project-{project}")


class SignedProject(Project, Signed):
    """A project, signed by the registrar."""


class Credit(Schema):
    """Cash for one account."""

    account: Address
    amount_fen: Fen


class Mint(Schema):
    """Tokenise real money that has arrived."""

    model_config = example({"credits": [{"account": _EXAMPLE_ADDRESS, "amount_fen": 80_000_000}]})

    credits: Annotated[list[Credit], Field(min_length=1, max_length=_BATCH_MAX)]

    def call(self, mint_id: UUID) -> Call:
        """Return the act."""
        return acts.mint_cash([(each.account, each.amount_fen) for each in self.credits], mint_id)


class SignedMint(Mint, Signed):
    """A mint, signed by the settlement bank."""


# People ----------------------------------------------------------------------------------------------------


class PointsRedemption(Schema):
    """Burn own grams for a reward."""

    model_config = example({"quantity_g": 5_000, "reward": "metro-day-pass"})

    quantity_g: Grams
    reward: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]

    def call(self, redemption_id: UUID) -> Call:
        """Return the act."""
        return acts.redeem_points(self.quantity_g, self.reward_hash(), redemption_id)

    def reward_hash(self) -> bytes:
        """Return the 32 bytes that name the reward on chain."""
        return request_id(f"reward:{self.reward}")


class SignedPointsRedemption(PointsRedemption, Signed):
    """A redemption of points, signed by the person."""


# Reports and statements ------------------------------------------------------------------------------------


class FileReport(Schema):
    """File an emission report: the document, and the manifest of its evidence, uploaded before."""

    model_config = example(
        {
            "document": {
                "entity": _EXAMPLE_ADDRESS, "period": 2026,
                "evidence_root": "0xc8276a02c1801695bec13a45a8a49d90632035fd7fceb4d70f3b06f80d62b559",
                "lines": [
                    {
                        "method": "emission-factor", "what": "coal burned", "scope": 1,
                        "source": "belt scale 1", "amount_micro": 1_000_000, "factor_g": 2_000_000,
                    }
                ],
                "reported_t": 2, "version": 1,
            },
            "manifest": {
                "files": [
                    {"name": "scale.csv", "media_type": "text/csv", "sha256": "cd" * 32, "size": 812}
                ],
                "salt": "ef" * 32,
            },
        }
    )  # fmt: skip

    document: dict[str, Any]
    """The report (`docs/guide/api.md` shows its form). Its canonical JSON's SHA-256 goes on chain."""
    manifest: dict[str, Any]
    """The evidence's manifest. Its Merkle root goes on chain."""


class SignedFileReport(FileReport, Signed):
    """A report, its filing signed by the firm."""


class StatementFields(Schema):
    """A verifier's word on a filed report, as the report's record has its facts."""

    model_config = example(
        {
            "report_id": "0x" + "00" * 31 + "01", "entity": _EXAMPLE_ADDRESS, "period": 2026,
            "verified_t": 85_000, "evidence_root": "0x" + "ab" * 32, "document_hash": "0x" + "cd" * 32,
        }
    )  # fmt: skip

    report_id: Hash32
    entity: Address
    period: Year
    evidence_root: Hash32
    verified_t: TonnesOrNone
    document_hash: Hash32

    def statement(self, statement_id: UUID, verifier: str) -> EmissionStatement:
        """Return the statement to sign."""
        return EmissionStatement(
            statement_id=request_id(statement_id),
            report_id=bytes32(self.report_id),
            entity=self.entity,
            period=self.period,
            evidence_root=bytes32(self.evidence_root),
            verified_t=self.verified_t,
            document_hash=bytes32(self.document_hash),
            verifier=verifier,
        )


class SignatureBody(Schema):
    """The verifier's EIP-712 signature."""

    signature: Signature


class StatementToBring(StatementFields, SignatureBody):
    """A statement with its verifier's signature, to be brought to the chain."""

    def call(self, statement_id: UUID, verifier: str) -> Call:
        """Return the act."""
        statement = self.statement(statement_id, verifier)
        return acts.accept_statements([(statement, bytes.fromhex(self.signature[2:]))])


class SignedStatement(StatementToBring, Signed):
    """A statement, its verifier's signature, and the transaction that brings both."""


class ReductionFields(Schema):
    """A verifier's word on what a project reduced: BE - PE - LE."""

    model_config = example(
        {
            "project": 7, "vintage": 2026, "batch": 1,
            "baseline_t": 5_000, "project_t": 900, "leakage_t": 100,
            "evidence_root": "0x" + "ab" * 32, "document_hash": "0x" + "cd" * 32,
        }
    )  # fmt: skip

    project: Number32
    vintage: Year
    batch: Number32
    baseline_t: TonnesOrNone
    project_t: TonnesOrNone
    leakage_t: TonnesOrNone
    evidence_root: Hash32
    document_hash: Hash32

    def statement(self, statement_id: UUID, verifier: str) -> ReductionStatement:
        """Return the statement to sign."""
        return ReductionStatement(
            statement_id=request_id(statement_id),
            project=self.project,
            vintage=self.vintage,
            batch=self.batch,
            evidence_root=bytes32(self.evidence_root),
            baseline_t=self.baseline_t,
            project_t=self.project_t,
            leakage_t=self.leakage_t,
            document_hash=bytes32(self.document_hash),
            verifier=verifier,
        )


class ReductionToBring(ReductionFields, SignatureBody):
    """A reduction statement with its verifier's signature."""

    def call(self, statement_id: UUID, verifier: str) -> Call:
        """Return the act."""
        statement = self.statement(statement_id, verifier)
        return acts.accept_reduction(statement, bytes.fromhex(self.signature[2:]))


class SignedReduction(ReductionToBring, Signed):
    """A reduction statement, its signature, and the transaction that brings both."""
