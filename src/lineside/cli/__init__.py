"""The command line: ``lineside routes``, ``lineside server``, ``lineside config``.

    from lineside.cli import main

    assert main(["--version"]) == 0

It needs the extra ``cli``. Every command is also there as ``python -m lineside.cli``.
"""

from lineside.cli._main import main

__all__ = ["main"]
