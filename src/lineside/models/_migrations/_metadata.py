"""Which tables are the app's: those of its models, wherever these keep them."""

from collections.abc import Iterator, Sequence

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase
from sqlmodel import SQLModel

from lineside.exceptions import ConfigurationError


def metadata_of_models() -> MetaData:
    """Return the metadata of all models that were imported.

    Raises:
        ConfigurationError: There are none, or they belong to several registries.
    """
    found: dict[int, tuple[MetaData, str]] = {}
    for model in [*_mapped(SQLModel), *_mapped(DeclarativeBase)]:
        metadata: MetaData = model.__dict__["__table__"].metadata
        found.setdefault(id(metadata), (metadata, f"{model.__module__}:{model.__qualname__}.metadata"))
    if len(found) > 1:
        names = ", ".join(sorted(name for _, name in found.values()))
        raise ConfigurationError(
            "the models belong to several registries; name those of this database with --metadata, "
            f"once for each: {names}"
        )
    if not found:
        raise ConfigurationError(
            "no model was imported, so that every table would be dropped; name the app that imports "
            "them with --app, or their metadata with --metadata module:Base.metadata"
        )
    return next(iter(found.values()))[0]


def check_metadata(metadata: MetaData | Sequence[MetaData]) -> list[MetaData]:
    """Return a list of metadata that has tables.

    Raises:
        ConfigurationError: There is no table in it.
    """
    listed = [metadata] if isinstance(metadata, MetaData) else list(metadata)
    if not any(one.tables for one in listed):
        raise ConfigurationError("the metadata has no tables; import the modules of the models first")
    return listed


def _mapped(base: type) -> Iterator[type]:
    subclasses: list[type] = base.__subclasses__()
    for model in subclasses:
        if "__table__" in model.__dict__:  # and not only inherited
            yield model
        yield from _mapped(model)
