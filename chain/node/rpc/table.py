"""What a JSON-RPC method is: a function of the node and the parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chain.node.node import Node

Method = Callable[[Node, list[Any]], Any]
