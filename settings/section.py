"""What the sections of the settings share: their base, and the types of several fields."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from settings.formats import existing_file, parse_duration

Seconds = Annotated[float, Field(gt=0)]
#: Stands last in a type, behind its bounds: so they are about the length, and pydantic says them in words.
AsDuration = BeforeValidator(parse_duration)
Days = Annotated[float, Field(gt=0, le=36_500)]
Count = Annotated[int, Field(ge=1)]
ExistingFile = Annotated[Path, AfterValidator(existing_file)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A group of settings whose variables begin with the same word."""

    # Defaults are checked too: a missing password is wrong if the protocol needs one.
    # The input stays out of pydantic's own messages: it may be a password.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, hide_input_in_errors=True
    )
