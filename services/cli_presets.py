"""Commands about presets: `twin presets`, `twin presets show`."""

from typing import Annotated

import typer

presets_app = typer.Typer(no_args_is_help=False, invoke_without_command=True)


@presets_app.callback()
def presets(context: typer.Context) -> None:
    """List the presets."""
    if context.invoked_subcommand is None:
        from services.preset_tables import print_presets

        print_presets()


@presets_app.command("show")
def presets_show(
    name: Annotated[str, typer.Argument(help="Name of a preset.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Every number of a preset with its source and confidence."""
    from services.preset_tables import print_preset

    print_preset(name, as_json=as_json)
