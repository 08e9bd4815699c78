"""A registry on a chain of its own: the node, the contracts, members, and acts in few words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chain.abi import Call
from chain.deployment import deploy
from chain.events import EventReader
from chain.ids import request_id
from chain.keys import Keyring, Signer
from chain.refusals import Refusal
from chain.rpc import ChainRpc
from chain.transactor import Transactor
from registry import acts
from registry.accounts import AccountKind, Profile, person_commitment, profile_hash
from registry.evidence import EvidenceStore
from registry.manifest import Bundle, EvidenceFile, bundle_salt
from registry.mrv.methods import EmissionFactorLine
from registry.mrv.report import EmissionReport
from registry.mrv.statement import EmissionStatement, ReductionStatement, StatementDomain, sign, verify_report
from tests.support.processes import running_node


class RegistryWorld:
    """Keys, evidence and a chain whose clock can be moved."""

    def __init__(self, url: str, directory: Path) -> None:
        self.keys = Keyring(b"test seed of the CARAT registry.")
        self.rpc = ChainRpc(url)
        self.deployment = deploy(self.rpc, self.keys)
        self.transactor = Transactor(self.rpc, self.deployment, patience_s=20)
        self.reader = EventReader(self.rpc, self.deployment)
        self.evidence = EvidenceStore(directory / "evidence")
        self.domain = StatementDomain(self.deployment.chain_id, self.deployment.addresses["Verification"])
        self.verifier = self.keys.signer("verifier:1")
        self.developer = self.keys.signer("developer:1")
        self._acts = 0
        self.open(("verifier:1", AccountKind.VERIFIER), ("developer:1", AccountKind.DEVELOPER))
        self.do("regulator", acts.accredit_verifier(self.verifier.address, 2**40, self.name()))
        project = acts.register_project(7, self.developer.address, b"\x07" * 32, self.name())
        self.do("registrar", project)

    def name(self) -> bytes:
        """A fresh request id."""
        self._acts += 1
        return request_id(f"act {self._acts}")

    def signer(self, label: str) -> Signer:
        return self.keys.signer(label)

    def now_utc(self) -> int:
        return int(self.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def pass_time(self, seconds: int) -> None:
        self.rpc.call("evm_increaseTime", seconds)
        self.rpc.call("evm_mine")

    def do(self, label: str, *calls: Call) -> None:
        for outcome in self.transactor.send_all([(self.signer(label), call) for call in calls]):
            if isinstance(outcome, Refusal):
                raise outcome

    def do_all(self, labelled: Sequence[tuple[str, Call]]) -> None:
        for outcome in self.transactor.send_all([(self.signer(label), call) for label, call in labelled]):
            if isinstance(outcome, Refusal):
                raise outcome

    def read(self, contract: str, function: str, *args: Any) -> Any:
        return self.transactor.read(Call(contract, function, args))

    def open(self, *members: tuple[str, AccountKind]) -> None:
        openings = []
        for label, kind in members:
            profile = Profile(label, kind)
            person = kind is AccountKind.PERSON
            commitment = person_commitment(profile, b"s" * 32) if person else profile_hash(profile)
            openings.append(acts.Opening(self.signer(label).address, kind, commitment))
        self.do("registrar", acts.open_accounts(openings))

    def report(self, label: str, period: int, emitted_t: int) -> EmissionStatement:
        """File a report with evidence, check it as the verifier, and return the statement to sign."""
        files = (EvidenceFile("coal.csv", "text/csv", f"coal,{emitted_t}".encode()),)
        bundle = Bundle(files, bundle_salt(b"secret", f"{label} {period}"))
        manifest = self.evidence.put_bundle(bundle)
        lines = (EmissionFactorLine("coal", emitted_t * 10**6, 10**6, "IPCC 2006"),)
        report = EmissionReport.of(self.signer(label).address, period, lines, manifest.root)
        document_hash = self.evidence.put(report.content())
        report_id = request_id(f"report {label} {period}")
        filing = acts.file_report(report_id, period, manifest.root, document_hash, report.reported_t)
        self.do(label, filing)
        filed = [event for event in self.reader.read(0) if event.name == "ReportFiled"][-1]
        return verify_report(
            statement_id=request_id(f"statement {label} {period}"),
            report_id=report_id,
            report=EmissionReport.read(self.evidence.get(filed.args["documentHash"])),
            manifest=self.evidence.manifest(filed.args["evidenceRoot"]),
            filed=filed.args,
            verifier=self.verifier.address,
        )

    def verify(self, *statements: EmissionStatement) -> None:
        signed = [(statement, sign(statement, self.domain, self.verifier)) for statement in statements]
        self.do("developer:1", acts.accept_statements(signed))

    def issue_offsets(self, vintage: int, batch: int, quantity_t: int) -> None:
        """Issue offsets of project 7 to the developer."""
        statement = ReductionStatement(
            self.name(), 7, vintage, batch, b"\x01" * 32, quantity_t + 30, 20, 10, b"\x02" * 32,
            self.verifier.address,
        )  # fmt: skip
        signature = sign(statement, self.domain, self.verifier)
        self.do("verifier:1", acts.accept_reduction(statement, signature))


@contextmanager
def registry_world(directory: Path) -> Iterator[RegistryWorld]:
    with running_node(directory / "chain") as node:
        yield RegistryWorld(node.url, directory)
