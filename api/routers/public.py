"""What everybody may see: totals, rules, statuses, defaults, retirements, who is accredited."""

from __future__ import annotations

from sqlmodel import col

from api import queries
from api.auth.roles import PUBLIC_KINDS
from api.dependencies import ServicesDep, SessionDep
from api.fields import AddressPath, UnitPath, YearPath, YearQuery
from api.paging import Page, PageDep
from api.problems import NotFound, refusals
from api.routing import new_router
from api.schemas import records
from chain.refusals import ChainUnreachable
from registry.accounts import Profile
from registry.projection import tables
from registry.projection.totals import cash_total, unit_totals

router = new_router("public", refusals(public=True))
_NOT_FOUND = refusals({404: "NotFound."}, public=True)


@router.get("/health", summary="Do the parts answer")
def health(services: ServicesDep) -> records.Health:
    """Say how far the tables are behind the chain, and whether the exchange answers."""
    try:
        head: int | None = services.head_block()
    except ChainUnreachable:
        head = None
    exchange = services.exchange_answers()
    indexer = services.indexer
    fine = head is not None and exchange and indexer.trouble is None
    return records.Health(
        status="ok" if fine else "degraded",
        chain_block=head,
        projection_block=indexer.block,
        behind_blocks=None if head is None else max(0, head - indexer.block),
        exchange=exchange,
        trouble=indexer.trouble,
    )


@router.get("/totals", summary="Where all tonnes and all cash are")
def totals(services: ServicesDep, session: SessionDep) -> records.Totals:
    """Sum the whole registry up: what was issued is held, trading, surrendered or cancelled."""
    clearing = services.transactor.deployment.addresses["Clearing"]
    return records.Totals(
        units=[records.UnitTotalRecord.model_validate(each) for each in unit_totals(session, clearing)],
        cash=records.CashTotalRecord.model_validate(cash_total(session, clearing)),
        accounts=queries.accounts_by_kind(session),
    )


@router.get("/units", summary="All kinds of tonne")
def list_units(session: SessionDep, page: PageDep) -> Page[records.UnitRecord]:
    """List the units that were ever issued, with their sums."""
    return queries.page_of(session, tables.Unit, records.UnitRecord, page)


@router.get("/units/{unit}", summary="One kind of tonne", responses=_NOT_FOUND)
def get_unit(unit: UnitPath, session: SessionDep) -> records.UnitRecord:
    """Say what was issued, surrendered and cancelled of a unit."""
    return queries.get_or_refuse(session, tables.Unit, records.UnitRecord, unit=unit)


@router.get("/periods", summary="Caps and rules")
def list_periods(session: SessionDep, page: PageDep) -> Page[records.PeriodRecord]:
    """List the published periods."""
    return queries.page_of(session, tables.Period, records.PeriodRecord, page)


@router.get("/periods/{period}", summary="The cap and rules of one period", responses=_NOT_FOUND)
def get_period(period: YearPath, session: SessionDep) -> records.PeriodRecord:
    """Say the rules of a period; they never change once published."""
    return queries.get_or_refuse(session, tables.Period, records.PeriodRecord, period=period)


@router.get("/statuses", summary="Who has met its obligation")
def list_statuses(session: SessionDep, page: PageDep, period: YearQuery = None) -> Page[records.StatusRecord]:
    """List each entity's compliance status by period: reported, due, met or default."""
    where = [] if period is None else [col(tables.Obligation.period) == period]
    return queries.page_of(session, tables.Obligation, records.StatusRecord, page, where)


@router.get("/defaults", summary="The public default record")
def list_defaults(
    session: SessionDep, page: PageDep, period: YearQuery = None
) -> Page[records.DefaultRecord]:
    """List who fell short, by how much, and the penalty."""
    where = [] if period is None else [col(tables.Default.period) == period]
    return queries.page_of(session, tables.Default, records.DefaultRecord, page, where)


@router.get("/retirements/surrenders", summary="Tonnes surrendered for periods")
def list_public_surrenders(
    session: SessionDep, page: PageDep, period: YearQuery = None
) -> Page[records.SurrenderRecord]:
    """List what was surrendered (清缴) for which period, and by whom."""
    where = [] if period is None else [col(tables.Surrender.period) == period]
    return queries.page_of(session, tables.Surrender, records.SurrenderRecord, page, where)


@router.get("/retirements/cancellations", summary="Tonnes cancelled")
def list_public_cancellations(session: SessionDep, page: PageDep) -> Page[records.CancellationRecord]:
    """List what was cancelled (注销), by whom and what for."""
    return queries.page_of(session, tables.Cancellation, records.CancellationRecord, page)


@router.get("/profiles/{account}", summary="Who an account is", responses=_NOT_FOUND)
def get_profile(account: AddressPath, services: ServicesDep, session: SessionDep) -> records.ProfileRecord:
    """Show the public profile of an account that acts in public: not of persons and traders."""
    found = queries.get_or_refuse(session, tables.Account, records.AccountRecord, account=account)
    if found.kind not in PUBLIC_KINDS:
        raise NotFound(what="profile", account=account)
    profile = Profile.read(services.evidence.get(found.profile_hash))
    return records.ProfileRecord(
        account=account, kind=found.kind, name=profile.name, facts=dict(profile.facts)
    )


@router.get("/verifiers", summary="Accredited verifiers")
def list_verifiers(session: SessionDep, page: PageDep) -> Page[records.VerifierRecord]:
    """List everyone who was ever accredited, and until when."""
    return queries.page_of(session, tables.Verifier, records.VerifierRecord, page)


@router.get("/providers", summary="Providers of green acts")
def list_providers(session: SessionDep, page: PageDep) -> Page[records.ProviderRecord]:
    """List the providers and whether they are accredited now."""
    return queries.page_of(session, tables.Provider, records.ProviderRecord, page)


@router.get("/projects", summary="Offset projects")
def list_projects(session: SessionDep, page: PageDep) -> Page[records.ProjectRecord]:
    """List the registered projects."""
    return queries.page_of(session, tables.Project, records.ProjectRecord, page)


@router.get("/reductions", summary="Verified reductions")
def list_reductions(session: SessionDep, page: PageDep) -> Page[records.ReductionRecord]:
    """List the accepted statements on reductions, and what each issued."""
    return queries.page_of(session, tables.Reduction, records.ReductionRecord, page)


@router.get("/epochs", summary="Settled epochs of trades")
def list_epochs(session: SessionDep, page: PageDep) -> Page[records.EpochRecord]:
    """List the epochs settled on chain, each with the root of its tape."""
    return queries.page_of(session, tables.Epoch, records.EpochRecord, page)


@router.get("/points/epochs", summary="Points epochs")
def list_points_epochs(session: SessionDep, page: PageDep) -> Page[records.PointsEpochRecord]:
    """List the published points epochs: totals and roots, nobody's name."""
    return queries.page_of(session, tables.PointsEpoch, records.PointsEpochRecord, page)
