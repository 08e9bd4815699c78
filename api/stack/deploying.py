"""Deploying for a data directory: once, and on from where a first attempt broke off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from api.stack.lock import DirectoryLock
from api.stack.outside import OutsideChain
from api.stack.paths import DataDirectory
from api.stack.secrets import open_or_create_keyring
from chain.deployment import Deployment, deploy
from chain.keys import Keyring
from chain.refusals import Refusal
from chain.rpc import ChainRpc


class DeploymentExists(Refusal):
    """This directory has a deployment already; it is not made twice."""


def deploy_for(
    data: DataDirectory,
    keyring: Keyring,
    chain_url: str,
    outside: OutsideChain | None,
    on_step: Callable[[str], None],
) -> Deployment:
    """Deploy with this directory's keys, and write down where the contracts are.

    Raises
    ------
    DeploymentExists :
        There is one.
    DeploymentFailed, DeploymentForeign, FundsInsufficient, ChainUnreachable :
        What was sent is written down; the next call goes on from there.
    """
    if data.deployment.exists():
        raise DeploymentExists(path=str(data.deployment))
    rpc = ChainRpc(chain_url)
    deployment = deploy(
        rpc,
        keyring,
        on_step=lambda name: on_step(f"deploying {name}"),
        journal=None if outside is None else data.deploy_journal,
        manner=None if outside is None else outside.manner,
        fees=None if outside is None else outside.fees(rpc),
    )
    deployment.save(data.deployment)
    data.deploy_journal.unlink(missing_ok=True)
    return deployment


def deploy_outside(data_dir: Path, outside: OutsideChain, on_step: Callable[[str], None]) -> Deployment:
    """Deploy on a chain that others run, for a directory on which nothing runs; raises as `deploy_for`."""
    on_step("asking the chain")
    outside.greet()
    data = DataDirectory(data_dir.resolve())
    lock = DirectoryLock(data.lock)
    try:
        if data.deployment.exists():
            raise DeploymentExists(path=str(data.deployment))
        keyring, _ = open_or_create_keyring(data, on_step)
        deployment = deploy_for(data, keyring, outside.urls, outside, on_step)
        outside.keep(data)
        return deployment
    finally:
        lock.release()
