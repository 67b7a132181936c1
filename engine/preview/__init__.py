"""Ports of a sandbox in the browser: each port of each sandbox under an origin of its own. See docs/previews.md."""
