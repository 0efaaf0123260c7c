"""What values of a record are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, le=2**63 - 1)]

Text = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$")]
"""Without control characters, which no figure can hold (XML 1.0, 2.2)."""
Reason = Annotated[str, AfterValidator(lambda text: text.encode(errors="backslashreplace").decode())]
"""May name files; bytes of their names that are no UTF-8 are surrogates in Python, which JSON cannot hold."""


class Value(BaseModel):
    """Validated and unchangeable; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
