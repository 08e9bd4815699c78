"""Random acts on verification: accreditations, projects, reports, statements and what is wrong with them."""

from __future__ import annotations

from eth_utils import keccak

from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.scene import Scene
from tests.support.contract_fuzz.stage import DAY_S
from tests.support.contract_model.machine import UINT256_MAX, ZERO, Address
from tests.support.contract_model.verification import Statement, domain, emission_hash, reduction_hash

# Offices


def accredit(scene: Scene) -> Act:
    verification = scene.stage.verification
    verifier = scene.stage.people[scene.pick(("verifier", "verifier", "reviewer", "wallet", "firm"))]
    until = scene.model.now + scene.rng.choices((0, 1, DAY_S, 200 * DAY_S), (1, 1, 2, 12))[0]
    caller = scene.caller_of(verification, "accredit")
    return scene.act(caller, verification, "accredit", verifier, until, scene.request_id())


def revoke(scene: Scene) -> Act:
    verification = scene.stage.verification
    verifier = scene.stage.people[scene.pick(("verifier", "reviewer", "wallet"))]
    return scene.act(
        scene.caller_of(verification, "revoke"), verification, "revoke", verifier, scene.request_id()
    )


def declare_conflict(scene: Scene) -> Act:
    verification = scene.stage.verification
    verifier = scene.stage.people[scene.pick(("reviewer", "reviewer", "verifier", "wallet", "stranger"))]
    entity = scene.stage.people[scene.pick(("firm", "rival", "developer", "stranger"))]
    caller = scene.caller_of(verification, "declareConflict")
    return scene.act(caller, verification, "declareConflict", verifier, entity, scene.request_id())


def register_project(scene: Scene) -> Act:
    verification = scene.stage.verification
    developer = scene.stage.people[scene.pick(("developer", "developer", "wallet", "stranger", "firm"))]
    project = scene.pick((0, 1, 2, 3, 4, 5, 6, 7, 2**32 - 1))
    caller = scene.caller_of(verification, "registerProject")
    return scene.act(
        caller, verification, "registerProject", project, developer, scene.root(), scene.request_id()
    )


# Reports and statements


def file_report(scene: Scene) -> Act:
    verification = scene.stage.verification
    label = scene.pick(("firm", "rival", "wallet", "firm", "rival", "wallet", "person", "stranger"))
    evidence = keccak(text=scene.pick(("evidence", "other evidence")))
    return scene.act(
        scene.stage.people[label], verification, "fileReport",
        scene.request_id(), scene.period(), evidence, scene.root(), scene.number(5_000),
    )  # fmt: skip


def accept_emissions(scene: Scene) -> Act:
    pairs = [_signed_emissions(scene) for _ in range(scene.rng.choice((1, 1, 1, 2)))]
    statements, signatures = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if scene.chance(0.03):
        signatures.pop()
    verification = scene.stage.verification
    return scene.act(scene.anyone(), verification, "acceptEmissionStatements", statements, signatures)


def _signed_emissions(scene: Scene) -> tuple[Statement, bytes]:
    verification, compliance = scene.stage.verification, scene.stage.compliance
    open_ = [key for key in verification.latest.rows if not compliance.entries[key].verified]
    filed = list(verification.reports.rows)
    entity, period, report_id = scene.anyone(), scene.period(), scene.pick(scene.ids)
    if open_ and scene.chance(0.85):
        entity, period = scene.pick(open_)
        report_id = verification.latest[entity, period]
    elif filed:
        entity, report_id = scene.pick(filed)
        period = verification.reports[entity, report_id][0]
    facts = verification.reports[entity, report_id]
    evidence = facts[1] if facts is not None and scene.chance(0.95) else scene.root()
    if scene.chance(0.03):
        period = scene.period()
    verified_t = scene.pick((0, 100, 1_000, 5_000, 20_000))
    if scene.chance(0.02):
        verified_t = scene.pick((2**80 - 1, 2**80, UINT256_MAX))
    verifier, signer = _verifier(scene)
    statement = (
        scene.request_id(), report_id, entity, period, evidence, verified_t,
        keccak(text="statement"), verifier,
    )  # fmt: skip
    return statement, _signature(scene, signer, emission_hash(statement))


def accept_reductions(scene: Scene) -> Act:
    verification = scene.stage.verification
    projects = list(verification.developers.rows)
    project = scene.pick(projects) if projects and scene.chance(0.9) else scene.pick((0, 1, 8))
    baseline_t = scene.pick((0, 1, 500, 1_000, 20_000, 2**63 - 1, UINT256_MAX))
    project_t = scene.number(min(baseline_t, 400))
    leakage_t = scene.pick((0, 0, 50, max(0, baseline_t - project_t), UINT256_MAX))
    verifier, signer = _verifier(scene)
    vintage = scene.pick((2025, 2026, 2026, 2027, 0 if scene.chance(0.2) else 2026))
    batch = scene.rng.randint(0 if scene.chance(0.1) else 1, 12)
    statement = (
        scene.request_id(), project, vintage, batch, scene.root(),
        baseline_t, project_t, leakage_t, keccak(text="statement"), verifier,
    )  # fmt: skip
    signature = _signature(scene, signer, reduction_hash(statement))
    return scene.act(scene.anyone(), verification, "acceptReductionStatement", statement, signature)


def _verifier(scene: Scene) -> tuple[Address, str]:
    """Who is said to have signed, and who did."""
    labels = ("verifier", "reviewer", "wallet", "firm")
    until = scene.stage.verification.accredited_until
    good = [label for label in labels if until[scene.stage.people[label]] >= scene.model.now]
    label = scene.pick(good) if good and scene.chance(0.85) else scene.pick(labels)
    signer = label if scene.chance(0.96) else scene.pick(("stranger", "verifier"))
    return scene.stage.people[label], signer


def _signature(scene: Scene, signer: str, struct_hash: bytes) -> bytes:
    """A signature; now and then for another chain or contract, in another form, or spoiled."""
    stage = scene.stage
    chain_id, contract = stage.model.chain_id, stage.verification.address
    throw = scene.rng.random()
    if throw < 0.02:
        chain_id = 2
    elif throw < 0.04:
        contract = stage.compliance.address
    signature = stage.sign(signer, keccak(b"\x19\x01" + domain(chain_id, contract) + struct_hash))
    if len(signature) != 65 or throw < 0.9:
        return signature
    if throw < 0.93:  # the twin of a signature: s negated, v flipped
        order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
        high = order - int.from_bytes(signature[32:64], "big")
        return signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])
    if throw < 0.95:
        return signature[:64] + bytes([scene.pick((0, 1, 26, 29, 255))])
    if throw < 0.97:
        return signature[:64]
    if throw < 0.98:
        return ZERO + ZERO + b"\x1b"
    return signature
