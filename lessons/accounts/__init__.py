"""A person's own account: profile, sign-in, a copy of their data, and its end. Sign-in itself is django-allauth's."""
