"""The forms of the Quotas page."""

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from engine.models import Node, QuotaRule
from engine.quantities import QuantityField
from engine.quotas import FIELDS, Field


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic when it runs
    """A rule. Whom a rule is about is chosen once: another subject is another rule."""

    user_name = forms.CharField(required=False, max_length=150, label="User name", help_text="For “One user”.")

    class Meta:
        model = QuotaRule
        fields = ("scope", "group", "note", *FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in FIELDS.items():
            self.fields[name] = QuantityField(field)
        scopes = [("", "Choose"), *QuotaRule.Scope.choices]
        self.fields["scope"] = forms.ChoiceField(choices=scopes, label="Whom it is about")
        self.fields["group"] = forms.ModelChoiceField(
            Group.objects.order_by("name"), required=False, empty_label="Choose a group", help_text="For “A group”."
        )
        if self.instance.pk is not None:
            for name in ("scope", "group", "user_name"):
                del self.fields[name]

    def sandbox_fields(self) -> list[forms.BoundField]:
        return [self[name] for name, field in FIELDS.items() if field.per == "sandbox"]

    def user_fields(self) -> list[forms.BoundField]:
        return [self[name] for name, field in FIELDS.items() if field.per == "user"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "scope" in self.fields:
            self._choose_subject(cleaned)
        if not self.errors and all(cleaned.get(name) is None for name in FIELDS):
            raise ValidationError("Set at least one limit: a rule without any says nothing.")
        return cleaned

    def validate_constraints(self) -> None:
        """`clean` has, in words that help more than a constraint's name."""

    def _choose_subject(self, cleaned: dict[str, Any]) -> None:
        """Fill in whom the rule is about; it must be one, and must not have a rule already."""
        scope = cleaned.get("scope")
        name = cleaned.get("user_name", "").strip()
        user = get_user_model().objects.filter(username=name).first() if name else None
        if scope == QuotaRule.Scope.GROUP and not cleaned.get("group") and "group" not in self.errors:
            self.add_error("group", "Choose the group.")
        if scope == QuotaRule.Scope.USER and user is None:
            self.add_error("user_name", f"There is no user “{name}”." if name else "Write the user's name.")
        group = cleaned.get("group") if scope == QuotaRule.Scope.GROUP else None
        user = user if scope == QuotaRule.Scope.USER else None
        cleaned["group"] = group
        self.instance.user = user
        if scope and not self.errors and QuotaRule.objects.filter(scope=scope, group=group, user=user).exists():
            raise ValidationError("There is a rule for this already. Change that one.")


class NodeForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a node gives to sandboxes. Empty: what its worker measured."""

    class Meta:
        model = Node
        fields = ("sandboxes_cap", "memory_cap", "memory_overcommit", "cpus_cap", "cpu_overcommit", "draining")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["sandboxes_cap"] = QuantityField(Field("Most machines at once", "count", "user", 0, 4000, "100"))
        self.fields["memory_cap"] = QuantityField(Field("Memory for machines", "size", "user", 64 << 20, 1 << 50, "20 GiB"))
        self.fields["cpus_cap"] = QuantityField(Field("Cores for machines", "cores", "user", 0.1, 4096, "4"))
        for name, label in (("memory_overcommit", "Memory over-commit"), ("cpu_overcommit", "CPU over-commit")):
            self.fields[name] = forms.FloatField(label=label, min_value=0.1, max_value=1000, widget=forms.TextInput)
            self.initial[name] = f"{self.initial[name]:g}"
        self.fields["draining"].help_text = "Takes no new machines; those it has run on to their end."


class LookupForm(forms.Form):
    """Whose effective limits to show."""

    user = forms.CharField(max_length=150, label="User name")

    def clean_user(self) -> Any:
        name = self.cleaned_data["user"].strip()
        found = get_user_model().objects.filter(username=name).first()
        if found is None:
            raise ValidationError(f"There is no user “{name}”.")
        return found
