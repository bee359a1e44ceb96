"""Every command by name; what each does is imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from nightdesk import __version__
from nightdesk.cli.words import say

DATA = Path("data")

app = typer.Typer(
    name="nightdesk",
    help="A trading desk that works while you sleep: signals in, orders out, nothing lost, nothing sent twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

DataOption = Annotated[
    Path, typer.Option("--data", metavar="FOLDER", help="The directory that holds everything the desk keeps.")
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", metavar="PORT", min=0, max=65535, help="The port to listen on; 0 takes a free one."),
]
ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="A settings file (TOML).")]
MarketOption = Annotated[
    str | None,
    typer.Option("--market", metavar="WHICH", help="simulated, live, or the path of a recorded file to play."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="A desk elsewhere; its token in NIGHTDESK_OPERATOR_TOKEN."),
]


def _version(asked: bool) -> None:
    if asked:
        say(f"nightdesk {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """What is common to all commands."""


@app.command()
def demo(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="Where to keep it. Left out: nowhere, it is gone at the end."),
    ] = None,
    port: PortOption = None,
    market: MarketOption = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", min=0, help="Stop by itself after so many seconds.")
    ] = None,
) -> None:
    """Show the desk at work, on paper, with alerts that flow.

    A simulated market unless --market says otherwise, paper fills, and a page on this machine. Ctrl-C ends it.
    """
    from nightdesk.demo.run import run_demo

    run_demo(data=data, port=port, market=market, seconds=seconds)


@app.command()
def run(
    data: DataOption = DATA, port: PortOption = None, config: ConfigOption = None, market: MarketOption = None
) -> None:
    """Run the desk.

    With no settings: one paper venue, a simulated market, on this machine only. Ctrl-C or SIGTERM stops it cleanly.
    """
    from nightdesk.app.process import run_desk

    run_desk(data=data, port=port, config=config, market=market)


@app.command()
def paper(
    data: DataOption = Path("paper"),
    port: PortOption = 8650,
    market: MarketOption = None,
    loss: Annotated[
        float,
        typer.Option(metavar="N", min=0, max=1, help="How likely an answer is lost after its order was taken."),
    ] = 0.0,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed loses the same answers.")] = 0,
) -> None:
    """Run the paper exchange as a server of its own.

    Its ledger outlives every desk; a desk reaches it by venues.NAME.url.
    """
    from nightdesk.app.paper import run_paper

    run_paper(data=data, port=port or 0, market=market, loss=loss, seed=seed)


@app.command()
def order(
    side: Annotated[str, typer.Argument(metavar="SIDE", help="buy, sell or close")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="for example BTC-USD")],
    size: Annotated[
        str | None, typer.Argument(metavar="SIZE", help="in units of the symbol; all of it where a close names none")
    ] = None,
    price: Annotated[
        str | None, typer.Option(metavar="PRICE", help="A limit price; a market order without it.")
    ] = None,
    stop: Annotated[str | None, typer.Option(metavar="PRICE", help="A stop price.")] = None,
    venue: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this venue; may be given again.")
    ] = None,
    sleeve: Annotated[str, typer.Option(metavar="NAME", help="Whose position it is.")] = "person",
    key: Annotated[str | None, typer.Option("--id", metavar="ID", help="The same id twice is one order.")] = None,
    data: DataOption = DATA,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Place an order, through the same gate as every signal."""
    from nightdesk.cli.remote import place_order

    place_order(
        side=side, symbol=symbol, size=size, price=price, stop=stop, venues=venue or [], sleeve=sleeve, key=key,
        data=data, url=url, json=json,
    )  # fmt: skip


@app.command()
def cancel(
    cl_ord_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id, or its first digits.")],
    data: DataOption = DATA,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Cancel an order."""
    from nightdesk.cli.remote import cancel_order

    cancel_order(cl_ord_id, data=data, url=url, json=json)


@app.command()
def status(data: DataOption = DATA, url: UrlOption = None, json: JsonOption = False) -> None:
    """Say what is so: accounts, positions, doubts, the market."""
    from nightdesk.cli.remote import show_status

    show_status(data=data, url=url, json=json)


@app.command()
def halt(
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; it is shown until somebody resumes.")
    ] = "halted by hand",
    data: DataOption = DATA,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Stop all new exposure at once, also while the desk is down.

    Entries are canceled, exits stay. It holds over restarts until somebody resumes.
    """
    from nightdesk.cli.remote import halt_desk

    halt_desk(reason, data=data, url=url, json=json)


@app.command()
def resume(
    confirm: Annotated[str | None, typer.Option(metavar="CODE", help="The code that the first step printed.")] = None,
    data: DataOption = DATA,
    url: UrlOption = None,
    json: JsonOption = False,
) -> None:
    """Trade again after a halt, in two steps.

    The first prints a code; the second, with --confirm, takes it.
    """
    from nightdesk.cli.remote import resume_desk

    resume_desk(confirm, data=data, url=url, json=json)


@app.command()
def explain(
    cl_ord_id: Annotated[str, typer.Argument(metavar="ID", help="The order's id, or its first digits.")],
    data: DataOption = DATA,
    json: JsonOption = False,
) -> None:
    """Tell the story of an order, also while the desk is down.

    The alert, the checks, the messages, the fills, with their times.
    """
    from nightdesk.cli.explain import explain_order

    explain_order(cl_ord_id, data=data, json=json)


@app.command()
def doctor(data: DataOption = DATA, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Find what is wrong with a set-up and say how to mend it.

    It changes nothing. Exit code 0: nothing to mend, 1: something to mend.
    """
    from nightdesk.cli.words import mark
    from nightdesk.doctor.report import run_doctor

    run_doctor(data=data, config=config, json=json, mark=mark)


config_app = typer.Typer(help="Look at the settings.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")


@config_app.command("show")
def config_show(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print every setting in force and where it comes from."""
    from nightdesk.cli.settings import show_settings

    show_settings(config, json=json)


audit_app = typer.Typer(help="Look at the audit chain.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(audit_app, name="audit")


@audit_app.command("verify")
def audit_verify(data: DataOption = DATA, json: JsonOption = False) -> None:
    """Check that nobody edited the record of who did what.

    Every line of it holds the digest of the line before.
    """
    from nightdesk.cli.explain import verify_audit

    verify_audit(data, json=json)
