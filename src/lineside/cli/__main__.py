"""``python -m lineside.cli``, for when the script is not on the path."""

import sys

from lineside.cli._main import main

if __name__ == "__main__":
    sys.exit(main())
