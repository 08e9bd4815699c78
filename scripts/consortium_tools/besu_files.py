"""What each member of a Besu QBFT consortium puts beside its node: genesis, peers, permissions, settings.

Written from the public halves alone, so that any member can write them and all get the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consortium_tools.authorities import Authority, Consortium
from consortium_tools.genesis import QBFT_GAS_LIMIT, qbft_genesis

# 26.2 mended Shanghai and votes under QBFT, 26.3 the decoding of proposals.
BESU_OLDEST: Final = "26.3.0"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a node finds its files and listens for its own machine.

    Attributes
    ----------
    permissions :
        The folder of the one file that Besu itself writes, when senders are added.
    """

    settings: str = "/etc/besu"
    data: str = "/var/lib/besu/data"
    permissions: str = "/var/lib/besu"
    rpc_port: int = 8545
    p2p_interface: str = "0.0.0.0"  # noqa: S104 - peers are in other houses; who may be one is in the permissions
    metrics_port: int | None = 9545


def files(consortium: Consortium, places: Places | None = None) -> dict[str, str]:
    """Return the text of every file by its name below the settings folder."""
    found = {
        "genesis.json": _json(genesis_of(consortium)),
        "static-nodes.json": _json([each.enode for each in consortium.authorities]),
        "permissions_config.toml": permissions(consortium),
    }
    for authority in consortium.authorities:
        found[f"{authority.name}.toml"] = settings(authority, places or Places())
    return found


def write(consortium: Consortium, folder: Path) -> list[Path]:
    """Write the files, and the consortium they were made from, into a folder; nothing is written over.

    Raises
    ------
    FileExistsError
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"consortium.json": consortium.text(), **files(consortium)}
    taken = [name for name in texts if (folder / name).exists()]
    if taken:
        raise FileExistsError(f"{folder} holds {', '.join(taken)} already")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def genesis_of(consortium: Consortium) -> dict[str, object]:
    """Return the first block; a round without a block lasts two periods, four seconds at least."""
    return qbft_genesis(
        chain_id=consortium.chain_id,
        validators=[each.address for each in consortium.authorities],
        period_s=consortium.period_s,
        time_utc=consortium.starts_utc,
        request_timeout_s=max(4, 2 * consortium.period_s),
    )


def permissions(consortium: Consortium) -> str:
    """Return who may be a peer, and who may send; Besu writes later additions into the node's own copy."""
    return (
        f"accounts-allowlist={json.dumps([each.lower() for each in consortium.senders])}\n"
        f"nodes-allowlist={json.dumps([each.enode for each in consortium.authorities])}\n"
    )


def settings(authority: Authority, places: Places) -> str:
    """Return one node's settings, for `besu --config-file`."""
    metrics = (
        f'metrics-enabled=true\nmetrics-host="127.0.0.1"\nmetrics-port={places.metrics_port}\n'
        if places.metrics_port is not None
        else "metrics-enabled=false\n"
    )
    return f"""\
# Besu {BESU_OLDEST} or newer. The same for every authority but for its name and place.
identity="{authority.name}"
data-path="{places.data}"
genesis-file="{places.settings}/genesis.json"
node-private-key-file="{places.settings}/key"

# Peers: the authorities of the list, and nobody else.
p2p-host="{authority.host}"
p2p-interface="{places.p2p_interface}"
p2p-port={authority.p2p_port}
nat-method="NONE"
discovery-enabled=false
static-nodes-file="{places.settings}/static-nodes.json"
permissions-nodes-config-file-enabled=true
permissions-nodes-config-file="{places.permissions}/permissions_config.toml"

# Who may send, and so deploy: the accounts of the list.
permissions-accounts-config-file-enabled=true
permissions-accounts-config-file="{places.permissions}/permissions_config.toml"

# Free gas: the genesis holds the base fee at zero, and the node asks for no tip.
min-gas-price=0
min-priority-fee=0
target-gas-limit={QBFT_GAS_LIMIT}

# A clearing house sends many transactions from one account: no share of the pool is kept from it.
tx-pool="sequenced"
tx-pool-max-size=65536
tx-pool-limit-by-account-percentage=1.0

# Every state stays readable: an audit asks about old blocks.
sync-mode="FULL"
sync-min-peers=1
data-storage-format="FOREST"

# JSON-RPC for this machine alone: CARAT's processes, and whoever administers the node.
rpc-http-enabled=true
rpc-http-host="127.0.0.1"
rpc-http-port={places.rpc_port}
rpc-http-api=["ETH","NET","WEB3","TXPOOL","QBFT","PERM"]
host-allowlist=["localhost","127.0.0.1"]
rpc-http-max-request-content-length=67108864
rpc-gas-cap={QBFT_GAS_LIMIT}
{metrics}"""


def _json(document: object) -> str:
    return json.dumps(document, indent=2) + "\n"
