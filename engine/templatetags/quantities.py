"""Numbers with their units in templates."""

from math import isinf

from django import template

from engine.quantities import show
from engine.quotas import Unit

register = template.Library()


@register.filter
def quantity(value: float, unit: Unit) -> str:
    """`{{ node.memory|quantity:"size" }}`."""
    return "no limit" if isinf(value) else show(value, unit)
