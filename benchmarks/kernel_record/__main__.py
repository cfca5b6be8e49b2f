"""Write the record of the kernels anew.

    python -m benchmarks.kernel_record [-o benchmarks/results/kernels.json]

Every kernel is compiled for every architecture and run on the host at usual sizes: half a minute, without a GPU.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks.kernel_record.comparison import worse
from benchmarks.kernel_record.record import RESULTS, measured, read_record, record_text
from benchmarks.kernel_record.toolchain import ToolMissingError, installed_toolchain


@click.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=RESULTS, show_default=True)
def main(output: Path) -> None:
    """Measure the kernels, say what got worse than the record that is there, and write the record anew."""
    try:
        tools = installed_toolchain()
    except ToolMissingError as error:
        raise click.ClickException(str(error)) from None
    with tempfile.TemporaryDirectory() as folder:
        now = measured(tools, Path(folder))
    if output.is_file():
        for line in worse(read_record(output), now):
            click.echo(line)
    output.write_text(record_text(now), encoding="utf-8")
    click.echo(f"wrote {output}; then run: python -m benchmarks.published_tables")


if __name__ == "__main__":
    main()
