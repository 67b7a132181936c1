"""What a person may change of their account."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _


class ProfileForm(forms.Form):
    """One field for the whole name: not everybody's has a first and a last part."""

    name = forms.CharField(
        required=False,
        max_length=150,
        label=_("Name"),
        help_text=_("Your instructors see it beside your username."),
        widget=forms.TextInput({"autocomplete": "name", "dir": "auto"}),
    )

    def save(self, user: User) -> None:
        user.first_name, user.last_name = self.cleaned_data["name"], ""
        user.save(update_fields=["first_name", "last_name"])


class DeleteForm(forms.Form):
    username = forms.CharField(
        label=_("Your username, to be sure"), max_length=150, widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none"})
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        super().__init__(data)
        self.user = user

    def clean_username(self) -> str:
        typed: str = self.cleaned_data["username"]
        if typed != self.user.get_username():
            raise forms.ValidationError(_("This is not your username. It is %(name)s."), params={"name": self.user.get_username()})
        return typed
