"""The services of one API process, wired once at its start."""

from __future__ import annotations

from dataclasses import dataclass

from api.auth.book import RoleBook
from api.auth.nonces import Nonces
from api.auth.sign_in import SignIn
from api.auth.tokens import Tokens
from api.courier import Courier
from api.custody import Custody
from api.indexer import Indexer
from api.members import MemberKeys
from api.relay import Relay
from api.settings import Settings
from api.streams import Streams
from chain.delivery import Manner
from chain.deployment import Deployment
from chain.events import EventReader
from chain.fees import Fees
from chain.finality import Finality
from chain.keys import Keyring
from chain.pending import PendingStore
from chain.refusals import Refusal
from chain.rpc import ChainRpc
from chain.transactor import Transactor
from exchange.binary import MEMBERS_LABEL
from exchange.client import ExchangeClient
from registry.evidence import EvidenceStore
from registry.personal.intake import PointsIntake
from registry.projection.store import Projection, identity_of, open_engine
from registry.refusals import ProjectionRefused
from registry.signing import Domain


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes use."""

    settings: Settings
    transactor: Transactor
    projection: Projection
    indexer: Indexer
    relay: Relay
    sign_in: SignIn
    roles: RoleBook
    evidence: EvidenceStore
    custody: Custody
    intake: PointsIntake
    exchange: ExchangeClient
    member_keys: MemberKeys
    streams: Streams

    def head_block(self) -> int:
        """Return the number of the chain's newest block; raises ChainUnreachable."""
        return int(self.transactor.rpc.call("eth_blockNumber"), 16)

    def close(self) -> None:
        """Stop following the chain and let all connections go."""
        self.indexer.stop()
        self.exchange.close()
        self.projection.engine.dispose()
        self.custody.close()
        self.sign_in.nonces.close()

    def exchange_answers(self) -> bool:
        """Say whether the exchange is there."""
        try:
            self.exchange.health()
        except Refusal:
            return False
        return True


def _transactor(settings: Settings, rpc: ChainRpc, deployment: Deployment) -> Transactor:
    """Return the way to the chain: an act counts as deep as the settings say, and within their patience."""
    finality = Finality.parse(settings.chain_confirmations)
    return Transactor(
        rpc,
        deployment,
        manner=Manner(finality, patience_s=settings.chain_patience_s, patience_in_all=True),
        fees=Fees(rpc, settings.chain_tip_wei),
        pending=None if finality.at_once else PendingStore(settings.pending_path, deployment.chain_id),
    )


def build_services(settings: Settings) -> Services:
    """Wire the services of one process; nothing is started yet.

    Raises
    ------
    KeyringLocked, DeploymentMissing :
        The stack was not set up in this data directory, or the passphrase is not its own.
    ProjectionRefused :
        The database holds another deployment's tables.
    """
    keyring = Keyring.open(settings.keyring_path, settings.passphrase.get_secret_value())
    deployment = Deployment.load(settings.deployment_path)
    rpc = ChainRpc(settings.chain_url, timeout_s=settings.chain_patience_s)
    transactor = _transactor(settings, rpc, deployment)
    projection = Projection(
        open_engine(settings.projection_url), identity_of(deployment), settings.chain_reorg_blocks
    )
    reader, courier = EventReader(rpc, deployment), Courier(transactor)

    def catch_up() -> int:
        try:
            projection.catch_up(reader)
        except ProjectionRefused as refusal:
            if refusal.facts.get("reason") != "moved by another process":
                raise  # several API workers take turns; each finds what the other has done
        courier.pass_by()
        return projection.block()

    indexer = Indexer(catch_up, settings.indexer_interval_s)
    sign_in = SignIn(
        domain=settings.domain,
        uri=settings.public_url,
        chain_id=deployment.chain_id,
        nonces=Nonces(
            keyring.secret("nonce"),
            settings.nonce_ttl_s,
            settings.nonces_max,
            open_engine(settings.sign_in_url),
        ),
        tokens=Tokens(keyring.secret("token"), settings.domain, settings.token_ttl_s),
    )
    evidence = EvidenceStore(settings.evidence_dir)
    return Services(
        settings=settings,
        transactor=transactor,
        projection=projection,
        indexer=indexer,
        relay=Relay(transactor, indexer, settings.chain_patience_s),
        sign_in=sign_in,
        roles=RoleBook(projection, transactor),
        evidence=evidence,
        custody=Custody(evidence, settings.evidence_dir),
        intake=PointsIntake(
            open_engine(settings.points_url), Domain(deployment.chain_id, deployment.addresses["MicroCarat"])
        ),
        exchange=ExchangeClient(
            settings.exchange_url, keyring.secret("exchange-gateway").hex(), settings.exchange_timeout_s
        ),
        member_keys=MemberKeys(deployment, settings.binary_note_path, keyring.secret(MEMBERS_LABEL)),
        streams=Streams(settings.streams_max, settings.streams_per_client_max),
    )
