"""The names that constraints get when nobody names them."""

from collections.abc import Mapping
from typing import Final

# PostgreSQL's own names, so that tables which exist there already have them. "ix" is SQLAlchemy's
# default. There is no "ck": a CHECK without a name would become an error in models that have one.
NAMING_CONVENTION: Final[Mapping[str, str]] = {
    "ix": "ix_%(column_0_label)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
"""Names for constraints without one, the same on every database; for ``MetaData(naming_convention=...)``."""
