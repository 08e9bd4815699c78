"""Which subcommands there are. Each imports what it needs when it runs, so that `carat --help` is quick."""

from __future__ import annotations

import typer

from api.cli import audit, bench, chain, exchange, keys, projection, replay, scenario, sign_in, up

app = typer.Typer(
    name="carat",
    help="CARAT: a carbon allowance registry and exchange.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

app.command("up")(up.up)
app.command("audit")(audit.audit)
app.command("keys")(keys.keys)
app.command("sign-in")(sign_in.sign_in)

_chain = typer.Typer(help="The chain: its record, and deploying to it.", no_args_is_help=True)
_chain.command("deploy")(chain.deploy)
_chain.command("verify")(chain.verify)
_chain.command("compact")(chain.compact)
app.add_typer(_chain, name="chain")

_projection = typer.Typer(help="The registry's tables.", no_args_is_help=True)
_projection.command("rebuild")(projection.rebuild)
app.add_typer(_projection, name="projection")

_scenario = typer.Typer(help="Markets on one page.", no_args_is_help=True)
_scenario.command("run")(scenario.run)
app.add_typer(_scenario, name="scenario")

_replay = typer.Typer(help="Published years of real markets.", no_args_is_help=True)
_replay.command("eu-ets")(replay.eu_ets)
app.add_typer(_replay, name="replay")

_exchange = typer.Typer(help="The matching engine.", no_args_is_help=True)
_exchange.command("replay-lobster")(exchange.replay_lobster)
_exchange.command("verify")(exchange.verify)
app.add_typer(_exchange, name="exchange")

_bench = typer.Typer(help="How fast it is, beside its peers, on this machine.", no_args_is_help=True)
_bench.command("chain")(bench.bench_chain)
_bench.command("exchange")(bench.bench_exchange)
app.add_typer(_bench, name="bench")
