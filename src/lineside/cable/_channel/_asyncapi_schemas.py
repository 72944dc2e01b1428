"""The JSON schemas of an AsyncAPI document, made together so that equal types are written once."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from lineside.cable._channel._arguments import Arguments
from lineside.cable._protocol._errors import CableConfigurationError

__all__ = ["Schemas"]

_REF: Final = "#/components/schemas/"
_Mode = Literal["validation", "serialization"]


class Schemas:
    """Collects what needs a schema, then makes all of them.

    Attributes:
        components: The schemas that others refer to, by name; filled by `make`.
    """

    def __init__(self) -> None:
        self._wanted: list[tuple[str, _Mode, TypeAdapter[Any]]] = []
        self._made: Mapping[tuple[str, _Mode], dict[str, Any]] = {}
        self.components: dict[str, Any] = {}

    def want(self, key: str, adapter: TypeAdapter[Any] | None, *, mode: _Mode = "validation") -> None:
        """Ask for a schema.

        Args:
            key: Under which `schema` returns it.
            adapter: The type; None for none.
            mode: For what comes in, or for what goes out.
        """
        if adapter is not None:
            self._wanted.append((key, mode, adapter))

    def make(self) -> None:
        """Make everything that was asked for.

        Raises:
            CableConfigurationError: A type has no JSON schema.
        """
        for key, mode, adapter in self._wanted:
            try:
                adapter.json_schema(mode=mode)
            except PydanticUserError as error:
                raise CableConfigurationError(f"{key} has no JSON schema: {error}") from error
        made, shared = TypeAdapter.json_schemas(self._wanted, ref_template=_REF + "{model}")
        self._made = {key: _plain(schema) for key, schema in made.items()}
        self.components = {name: _plain(schema) for name, schema in shared.get("$defs", {}).items()}

    def schema(self, key: str, *, mode: _Mode = "validation") -> dict[str, Any]:
        """Return a schema that was asked for."""
        return self._made[(key, mode)]

    def fields(self, key: str, arguments: Arguments) -> dict[str, Any]:
        """Return the schema of an object with a method's fields, and with their default values.

        Args:
            key: Under which ``arguments.fields`` was asked for.
            arguments: The method's.
        """
        if arguments.fields is None:
            return {"type": "object", "properties": {}}
        schema = self._made[(key, "validation")]
        name = schema.get("$ref", "").removeprefix(_REF)
        if name:
            # Nothing else refers to it: a method's fields are no type of the app's.
            schema = self.components.pop(name)
        properties = dict(schema.get("properties", {}))
        for field, default in arguments.defaults.items():
            if field in properties and (value := _json_default(default)) is not None:
                properties[field] = {**properties[field], "default": value}
        required = {"required": schema["required"]} if "required" in schema else {}
        return {"type": "object", "properties": properties, **required}


def _json_default(value: Any) -> Any:
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError:
        return None


def _plain(schema: Any) -> Any:
    """Return a schema as AsyncAPI has it: its ``discriminator`` is a name, OpenAPI's is an object."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(value) for name, value in schema.items()}
    found = plain.get("discriminator")
    if isinstance(found, dict) and "oneOf" in plain:
        plain["discriminator"] = found["propertyName"]
    return plain
