"""Parts of all records that are stored as JSON: strict, immutable, and read back as they were written."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1)]
# Above any network that is of use, and below what exhausts the memory before an error can be printed.
Width = Annotated[int, Field(ge=1, le=1024)]
Depth = Annotated[int, Field(ge=1, le=64)]
_MAX_NAMES = 256


class Frozen(BaseModel):
    """A strict, immutable record; its checks are built when they are first needed, since a run needs few of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


def check_names(names: tuple[str, ...], *, at_least: int = 2, what: str = "classes") -> None:
    """Raise ValueError unless `names` are at least that many and at most 256, not empty and all different."""
    if len(names) > _MAX_NAMES:
        raise ValueError(f"{what} are {len(names)}; at most {_MAX_NAMES} are supported")
    if len(names) < at_least or len(set(names)) != len(names) or not all(names):
        raise ValueError(f"{what} are {names!r}; at least {at_least} different names are needed")
