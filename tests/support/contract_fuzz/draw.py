"""One random act: which, by whom, and now and then a little wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Any

from eth_abi.exceptions import EncodingError

from tests.support.contract_fuzz import draw_market as market
from tests.support.contract_fuzz import draw_registry as registry
from tests.support.contract_fuzz import draw_rights as rights
from tests.support.contract_fuzz import draw_verification as verification
from tests.support.contract_fuzz.act import Act
from tests.support.contract_fuzz.coverage import Coverage
from tests.support.contract_fuzz.scene import Scene
from tests.support.contract_model.interface import Function

Draw = Callable[[Scene], Act]

# How often, relative to each other.
_DRAWS: tuple[tuple[float, Draw], ...] = (
    (1.5, registry.open_accounts), (1.5, registry.set_frozen), (0.6, registry.issue), (0.6, registry.retire),
    (2, registry.cancel), (2, registry.approve_operator), (5, registry.transfer_units),
    (7, registry.deposit_units), (2.5, registry.transfer_batch),
    (1.2, registry.publish_period), (3, registry.allocate), (0.5, registry.record_verified),
    (6, registry.surrender), (1, registry.publish_price), (3, registry.assess),
    (2, verification.accredit), (0.4, verification.revoke), (0.3, verification.declare_conflict),
    (1, verification.register_project), (4, verification.file_report), (4, verification.accept_emissions),
    (4, verification.accept_reductions),
    (4, market.mint), (2, market.redeem_cash), (6, market.move_token), (7, market.call_token),
    (0.8, market.hook), (8, market.settle), (1.5, market.unwind), (1, market.unwind_abandoned),
    (5, market.release), (1, market.request_exit), (1.5, market.leave),
    (1, market.accredit_provider), (2, market.publish_epoch), (4, market.claim), (2, market.redeem_points),
    (1.5, rights.grant_role), (0.5, rights.lose_role), (0.4, rights.label_role),
    (0.4, rights.set_role_office), (0.4, rights.set_delay), (0.6, rights.set_target_closed),
    (0.8, rights.set_target_function_role),
    (0.5, rights.update_authority), (0.4, rights.set_authority), (0.3, rights.consume),
)  # fmt: skip
# What asks for the time: drawn when the clock has just come to a deadline, or beside it.
_SHARP: tuple[Draw, ...] = (
    registry.surrender, registry.assess, registry.assess,
    verification.accept_emissions, verification.accept_reductions,
    market.leave, market.leave, market.unwind_abandoned,
)  # fmt: skip
_SUMS = list(accumulate(weight for weight, _ in _DRAWS))
_FUNCTIONS = [draw for _, draw in _DRAWS]


class Dice:
    """Draws acts for one scene, and remembers some to make them again."""

    def __init__(self, scene: Scene, coverage: Coverage) -> None:
        self.scene = scene
        self.coverage = coverage
        self._before: list[Act] = []
        self._last: dict[Function, Act] = {}  # the last act of each function

    def act(self) -> Act:
        """The next act, at its time."""
        scene = self.scene
        if scene.sharp:
            scene.sharp -= 1
            act = rights.make_waiting(scene) if scene.chance(0.3) else None
            act = act or scene.pick(_SHARP)(scene)
        else:
            act = self._act()
        if act.caller == scene.wallet:
            act = rights.perform(scene, [act])
        elif act.caller in scene.model.contracts:  # no contract of ours calls of its own accord
            act = act.by(scene.key_holder())
        act.at = max(act.at, scene.next_time())
        self._last[act.function] = act
        if len(self._before) < 200:
            self._before.append(act)
        elif scene.chance(0.1):
            self._before[scene.rng.randrange(200)] = act
        return act

    def _act(self) -> Act:  # noqa: PLR0911 - a case a kind
        scene = self.scene
        throw = scene.rng.random()
        if throw < 0.05:
            return self._look()
        if throw < 0.12:
            return self._unreached() or self._look()
        if throw < 0.15 and self._before:
            again = scene.pick(self._before)
            if scene.chance(0.4):
                again = self._nudged(again)
            return replace(
                again, at=scene.model.now, caller=again.caller if scene.chance(0.7) else scene.anyone()
            )
        if throw < 0.19:
            return self._wrapped()
        if throw < 0.22:
            waiting = rights.make_waiting(scene)
            if waiting is not None:
                return waiting
        if throw < 0.23:
            return self._spoiled(self._plain())
        act = self._plain()
        if throw < 0.28:
            act = self._a_little_wrong(act)
        elif throw < 0.32:
            act = act.by(scene.anyone())
        return act

    def _plain(self) -> Act:
        return self.scene.rng.choices(_FUNCTIONS, cum_weights=_SUMS)[0](self.scene)

    def _wrapped(self) -> Act:
        scene = self.scene
        what = scene.rng.randrange(5)
        others = [self._plain() for _ in range(scene.rng.randint(1, 3))]
        if what == 0:
            return rights.schedule(scene, self._by_regulator(others[0]))
        if what == 1:
            return rights.execute(scene, others[0])
        if what == 2:
            return rights.multicall(scene, [self._right() for _ in others])
        if what == 3:
            return rights.perform(scene, others)
        return rights.arm(scene, others)

    def _by_regulator(self, other: Act) -> Act:
        scene = self.scene
        draws = (registry.allocate, verification.accredit, registry.set_frozen, market.accredit_provider)
        return (
            scene.pick(draws)(scene) if scene.chance(0.6) else (self._right() if scene.chance(0.5) else other)
        )

    def _right(self) -> Act:
        draws = (
            rights.grant_role,
            rights.label_role,
            rights.set_target_function_role,
            rights.update_authority,
        )
        return self.scene.pick(draws)(self.scene)

    def _look(self) -> Act:
        """Anybody looks at anything."""
        scene = self.scene
        function = scene.any_function()
        while function.changes_state or function.name == "onERC1155BatchReceived":
            function = scene.any_function()
        to = scene.stage.parts[function.contract]
        args = tuple(scene.value(kind) for kind in function.inputs)
        return Act(scene.model.now, scene.key_holder(), to, function, args)

    def _unreached(self) -> Act | None:
        """A function by somebody who never called it in this run."""
        scene = self.scene
        function, role = self.coverage.next_pair()
        if function is None:
            return None
        caller, to = scene.stage.people[role], scene.stage.parts[function.contract]
        last = self._last.get(function)
        if last is not None and last.raw is None:
            return replace(last, at=scene.model.now, caller=caller, value=0)
        if any("(" in kind for kind in function.inputs):
            return None
        args = tuple(scene.value(kind) for kind in function.inputs)
        return Act(scene.model.now, caller, to, function, args)

    def _a_little_wrong(self, act: Act) -> Act:
        """One plain argument is replaced by any other of its type."""
        scene = self.scene
        plain = [at for at, kind in enumerate(act.function.inputs) if "(" not in kind]
        if not plain:
            return act
        at = scene.pick(plain)
        args = (*act.args[:at], scene.value(act.function.inputs[at]), *act.args[at + 1 :])
        return Act(act.at, act.caller, act.to, act.function, args)

    def _nudged(self, act: Act) -> Act:
        """The same act under the same name, and one number in it is another."""
        places = list(_numbers(act.args))
        if not places or act.raw is not None:
            return act
        args = _raised(act.args, self.scene.pick(places))
        try:
            act.function.calldata(args)
        except EncodingError:  # no room above
            return act
        return Act(act.at, act.caller, act.to, act.function, args)

    def _spoiled(self, act: Act) -> Act:
        """Bytes that are no call of anything, or ether, which only the manager's execute takes."""
        scene = self.scene
        caller = scene.key_holder()
        throw = scene.rng.random()
        if throw < 0.4 and not act.function.payable:
            return replace(act, caller=caller, value=1)
        if throw < 0.7 and act.function.inputs:
            return replace(act, caller=caller, raw=act.data[: scene.pick((0, 3, 4, 4 + 31))])
        return replace(act, caller=caller, raw=b"\xff\xff\xff\xff" + act.data[4:])


def _numbers(value: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Where the numbers are in nested arguments."""
    if isinstance(value, (tuple, list)):
        for at, part in enumerate(value):
            yield from _numbers(part, (*path, at))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path


def _raised(value: Any, path: tuple[int, ...]) -> Any:
    """The same arguments with the number there one higher."""
    if not path:
        return value + 1
    at, *rest = path
    return (*value[:at], _raised(value[at], tuple(rest)), *value[at + 1 :])
