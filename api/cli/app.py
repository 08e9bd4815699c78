"""Which subcommands there are. Each imports what it needs when it runs, so that `carat --help` is quick."""

from __future__ import annotations

import typer

from api.cli import keys, projection, sign_in, up

app = typer.Typer(
    name="carat",
    help="CARAT: a carbon allowance registry and exchange.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

app.command("up")(up.up)
app.command("keys")(keys.keys)
app.command("sign-in")(sign_in.sign_in)

_projection = typer.Typer(help="The registry's tables.", no_args_is_help=True)
_projection.command("rebuild")(projection.rebuild)
app.add_typer(_projection, name="projection")
