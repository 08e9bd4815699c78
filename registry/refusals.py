"""What the registry refuses, with the numbers of each refusal.

Refusal (chain.refusals)
├── DocumentMalformed        bytes or fields that are no document of the registry
├── EvidenceRefused          a file that the evidence store does not take
├── EvidenceMissing          a commitment without its file
├── EvidenceAltered          a file that is no longer what was committed to
├── AllocationRefused        an allocation that the published rules do not allow
│   └── AllocationCapExceeded
├── MeasurementRefused       activity data from which no emission follows
├── StatementRefused         a statement that its facts do not carry
│   ├── StatementSignatureInvalid
│   ├── StatementMismatch
│   └── ReportNotReproduced
├── NoReduction              a project that reduced nothing
├── ComplianceRefused        a surrender that the obligation does not take
│   ├── NegativeObligation
│   ├── OffsetCapExceeded
│   ├── SurrenderExceedsDue
│   ├── SurrenderDeadlinePassed
│   └── VintageAhead
├── ActRefused               a green act that earns nothing
│   ├── MethodUnknown
│   ├── ActAlreadyClaimed
│   ├── MeetingClaimedOtherwise
│   ├── BatchConflict
│   ├── BatchSignatureInvalid
│   └── ProviderUnaccredited
├── PointsEpochRefused       a points epoch that cannot be closed or proven
└── ProjectionRefused        the stored projection does not belong to this chain
"""

from __future__ import annotations

from chain.refusals import Refusal


class DocumentMalformed(Refusal):
    """These bytes or fields are no document of the registry."""


class EvidenceRefused(Refusal):
    """The evidence store does not take this file."""


class EvidenceMissing(Refusal):
    """A commitment stands, but the file behind it is gone."""


class EvidenceAltered(Refusal):
    """The stored file is no longer what was committed to."""


class AllocationRefused(Refusal):
    """The published rules do not allow this allocation."""


class AllocationCapExceeded(AllocationRefused):
    """The allocations together pass the period's cap."""


class MeasurementRefused(Refusal):
    """No emission follows from this activity data."""


class StatementRefused(Refusal):
    """The statement is not carried by its facts."""


class StatementSignatureInvalid(StatementRefused):
    """Another key than the verifier's signed the statement, or none."""


class StatementMismatch(StatementRefused):
    """The statement is about other facts than the report."""


class ReportNotReproduced(StatementRefused):
    """The report's own activity data gives another number of tonnes."""


class NoReduction(Refusal):
    """The project reduced nothing: BE - PE - LE is not above zero."""


class ComplianceRefused(Refusal):
    """The obligation does not take this surrender."""


class NegativeObligation(ComplianceRefused):
    """An obligation is never below zero."""


class OffsetCapExceeded(ComplianceRefused):
    """More offsets than the period's cap allows."""


class SurrenderExceedsDue(ComplianceRefused):
    """More tonnes than are still due."""


class SurrenderDeadlinePassed(ComplianceRefused):
    """The deadline of the period has passed."""


class VintageAhead(ComplianceRefused):
    """A unit of a later vintage does not pay for an earlier period: borrowing is prohibited."""


class ActRefused(Refusal):
    """The act earns nothing."""


class MethodUnknown(ActRefused):
    """No method in force on that day turns this kind of act into grams."""


class ActAlreadyClaimed(ActRefused):
    """The act was claimed before, on this platform or another."""


class MeetingClaimedOtherwise(ActRefused):
    """An online meeting counts as a whole or by its people, never both."""


class BatchConflict(ActRefused):
    """The batch id names another batch already."""


class BatchSignatureInvalid(ActRefused):
    """Another key than the provider's signed the batch, or none."""


class ProviderUnaccredited(ActRefused):
    """The provider is not accredited."""


class PointsEpochRefused(Refusal):
    """The points epoch cannot be closed or proven."""


class ProjectionRefused(Refusal):
    """The stored projection does not belong to this chain, or runs ahead of it."""
