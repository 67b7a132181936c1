"""Numbers with units, as admins write and read them: sizes, times, counts."""

import re
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from engine.describe import duration
from engine.quotas import Field, Unit
from engine.runtime.errors import InvalidSpec
from engine.runtime.spec import KIB, MIB, format_size, parse_size

DAY = 86400
SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": DAY, "day": DAY}


def parse_duration(text: str) -> int:
    """Seconds of `90 s`, `15 min`, `2 h`, `1.5 hours`, `1 day`. Raises ValueError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", text)
    unit = SECONDS.get(match[2].lower()) or SECONDS.get(match[2].lower().removesuffix("s")) if match else None
    if not match or unit is None:
        raise ValueError(f"“{text}” is not a time. Write a number and a unit, for example 90 s, 15 min or 2 h.")
    return round(float(match[1]) * unit)


def _parse_size(text: str) -> int:
    if re.fullmatch(r"\s*[\d.]+\s*", text):
        raise ValueError(f"“{text}” has no unit. Write for example {text.strip()} MiB or {text.strip()} GiB.")
    try:
        return parse_size(text)
    except InvalidSpec as error:
        raise ValueError(f"“{text}” is not a size. Write a number and a unit, for example 512 MiB or 2 GiB.") from error


def _parse_count(text: str) -> int:
    if not re.fullmatch(r"\s*\d{1,9}\s*", text):
        raise ValueError(f"“{text}” is not a whole number.")
    return int(text)


def _parse_number(text: str) -> float:
    match = re.fullmatch(r"\s*(\d{1,9}(?:[.,]\d+)?)\s*(?:h|hours?|cores?|cpus?)?\s*", text)
    if not match:
        raise ValueError(f"“{text}” is not a number.")
    return float(match[1].replace(",", "."))


PARSERS: dict[Unit, Callable[[str], float | int]] = {
    "size": _parse_size,
    "duration": parse_duration,
    "count": _parse_count,
    "cores": _parse_number,
    "hours": _parse_number,
}


def show(value: float | None, unit: Unit) -> str:
    """For people: `512 MiB`, `15 minutes`, `1.5 cores`, `4 hours`, `2`."""
    if value is None:
        return "no limit"
    match unit:
        case "size":
            return format_size(int(value))
        case "duration":
            return f"{value // DAY:g} days" if value >= 2 * DAY and value % DAY == 0 else duration(value)
        case "cores":
            return f"{value:g} core" + ("s" if value != 1 else "")
        case "hours":
            return f"{value:g} hour" + ("s" if value != 1 else "")
    return f"{value:g}"


class QuantityField(forms.CharField):
    """A number with its unit; empty is None. What was typed stays in the form when it is refused."""

    def __init__(self, field: Field, **options: Any) -> None:
        super().__init__(required=False, max_length=40, label=field.label, help_text=field.help, **options)
        self.quantity = field
        self.widget.attrs |= {"placeholder": f"for example {field.example}", "autocomplete": "off", "spellcheck": "false"}

    def prepare_value(self, value: Any) -> Any:
        """A stored number as it is typed: exactly, so that saving what is shown changes nothing."""
        if isinstance(value, str) or value is None:
            return value
        shown = show(value, self.quantity.unit)
        if self.quantity.unit == "size" and _parse_size(shown) != value:
            return f"{value // MIB} MiB" if value % MIB == 0 else f"{value / KIB!r} KiB"
        return shown

    def clean(self, value: Any) -> float | int | None:
        text = super().clean(value)
        if not text:
            return None
        field = self.quantity
        try:
            number = PARSERS[field.unit](text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        if not field.least <= number <= field.most:
            raise ValidationError(f"{field.label} must be between {show(field.least, field.unit)} and {show(field.most, field.unit)}.")
        return number
