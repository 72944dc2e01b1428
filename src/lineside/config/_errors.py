"""What goes wrong with a configuration, and where it was written."""

from collections.abc import Iterable

from lineside.exceptions import ConfigurationError


class ConfigKeyError(ConfigurationError, LookupError):
    """A key has no value and no default was given.

    Args:
        key: The dotted key that was asked for.
        reason: Why there is no value.
        nearest: Known keys that look like it.
        files: The files that were read, as paths.
        variable: The environment variable that would set the key.
        takes_default: Whether the caller could have passed a default.
    """

    def __init__(
        self,
        key: str,
        *,
        reason: str,
        nearest: Iterable[str],
        files: Iterable[str],
        variable: str,
        takes_default: bool = True,
    ) -> None:
        self.key = key
        self.nearest: tuple[str, ...] = tuple(nearest)
        self.files: tuple[str, ...] = tuple(files)
        hint = f" Did you mean {' or '.join(map(repr, self.nearest))}?" if self.nearest else ""
        ways = f", as {variable}, or pass a default" if takes_default else f" or as {variable}"
        super().__init__(
            f"{key!r} {reason}.{hint} Set it in a file{ways}. Files read: {', '.join(self.files) or 'none'}."
        )


class ConfigTypeError(ConfigurationError, TypeError):
    """A value is not of the type that was asked for.

    Args:
        key: The dotted key.
        expected: The wanted type, in words.
        shown: The value as it may be shown, secrets masked.
        source: The file and line or the variable that set it.
    """

    def __init__(self, key: str, *, expected: str, shown: str, source: str) -> None:
        super().__init__(f"{key!r} should be {expected}, but {source} sets it to {shown}; change it there")
        self.key = key
        self.expected = expected
        self.source = source


class ConfigFileError(ConfigurationError):
    """A file cannot be used; the old values, if any, stay.

    Args:
        file: The path of the file.
        line: The line, counted from 1, when it is known.
        reason: What is wrong, never quoting a value.
    """

    def __init__(self, file: str, *, reason: str, line: int | None = None) -> None:
        super().__init__(f"{file}{'' if line is None else f':{line}'}: {reason}")
        self.file = file
        self.line = line
        self.reason = reason


class UnsetVariableError(ConfigFileError):
    """A ``${VAR}`` names a variable that is not set and gives no default.

    Args:
        file: The path of the file.
        line: The line, counted from 1.
        key: The dotted key whose value holds the reference.
        variable: The variable that is not set.
    """

    def __init__(self, file: str, *, line: int, key: str, variable: str) -> None:
        super().__init__(
            file,
            line=line,
            reason=f"{key!r} needs the variable {variable}, which is not set; "
            f"set it or write ${{{variable}:-default}}",
        )
        self.key = key
        self.variable = variable


class ConfigBindError(ConfigurationError, ValueError):
    """A section does not fit the model it is bound to.

    Args:
        key: The dotted key of the section.
        model: The name of the model.
        problems: One sentence per wrong value: key, source and reason.
    """

    def __init__(self, key: str, *, model: str, problems: Iterable[str]) -> None:
        self.key = key
        self.model = model
        self.problems: tuple[str, ...] = tuple(problems)
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{key or 'the configuration'!r} does not fit {model}:{listed}")


class ConfigReloadError(ConfigurationError):
    """A reload was refused and the old values stay.

    Args:
        cause: The error that stopped the reload.
    """

    def __init__(self, cause: ConfigurationError) -> None:
        super().__init__(f"configuration not reloaded, the old values stay: {cause.message}")
        self.file: str | None = getattr(cause, "file", None)
        self.line: int | None = getattr(cause, "line", None)


class ProductionCheckError(ConfigurationError):
    """The start is refused: the configuration is not safe for production.

    Args:
        failures: Every failed check, one sentence each.
    """

    def __init__(self, failures: Iterable[str]) -> None:
        self.failures: tuple[str, ...] = tuple(failures)
        listed = "".join(f"\n  - {failure}" for failure in self.failures)
        super().__init__(f"start refused, the configuration is not safe for production:{listed}")
