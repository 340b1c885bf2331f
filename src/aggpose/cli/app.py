"""The command line: one file a command, heavy imports inside the commands."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from aggpose.errors import UserError

app = typer.Typer(
    name="aggpose",
    help="Infant pose estimation, offline. Research use only, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        from aggpose import __version__

        print(f"aggpose {__version__}")
        raise typer.Exit


@app.callback()
def _aggpose(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say it and end")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show where an error came from")] = False,
) -> None:
    """Infant pose estimation, offline. Research use only, not a medical device."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 1 a fault of ours, 2 wrong use or unreadable input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        code = app(arguments, standalone_mode=False)
    except UserError as error:
        if debug:
            traceback.print_exc()
        print(f"aggpose: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("aggpose: stopped", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if hasattr(error, "format_message"):  # typer's own: an unknown option, a missing one
            message = " ".join(error.format_message().split())
            print(f"aggpose: {message} (see aggpose COMMAND --help)", file=sys.stderr)
            sys.exit(2)
        if debug:
            traceback.print_exc()
        print(
            f"aggpose: internal fault, please report it: {type(error).__name__}: {error} "
            "(--debug shows where)",
            file=sys.stderr,
        )
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


from aggpose.cli import bench as _bench  # noqa: E402
from aggpose.cli import check as _check  # noqa: E402
from aggpose.cli import convert as _convert  # noqa: E402
from aggpose.cli import demo as _demo  # noqa: E402
from aggpose.cli import evaluate as _evaluate  # noqa: E402
from aggpose.cli import export as _export  # noqa: E402
from aggpose.cli import info as _info  # noqa: E402
from aggpose.cli import predict as _predict  # noqa: E402
from aggpose.cli import synthesize as _synthesize  # noqa: E402
from aggpose.cli import train as _train  # noqa: E402

app.command("demo")(_demo.demo)
app.command("predict")(_predict.predict)
app.command("train")(_train.train)
app.command("evaluate")(_evaluate.evaluate)
app.command("check")(_check.check)
app.command("synthesize")(_synthesize.synthesize)
app.command("export")(_export.export)
app.command("info")(_info.info)
app.command("convert")(_convert.convert)
app.command("bench")(_bench.bench)

if __name__ == "__main__":
    main()
