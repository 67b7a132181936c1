"""Attack: reach the site's own port from inside (SSRF the other way round)
Source: https://owasp.org/Top10/A10_2021-Server-Side_Request_Forgery_%28SSRF%29/
Profiles: basic docker
Weakening: rootful hostnet
"""

from probe import FACTS, greeted, held, worked

for address in ("127.0.0.1", FACTS["gateway"], *FACTS["host_addresses"]):
    if greeted(address, FACTS["site_port"]):
        worked(f"the site answers at {address}")
held("the site does not answer")
