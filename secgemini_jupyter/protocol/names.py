"""Names for sessions that the user did not name: two words that are easy to say over a phone."""

from __future__ import annotations

import random

FIRST = (
    "amber ashen autumn basalt birch bronze cedar chalk cobalt copper coral crimson dawn distant drifting dusky "
    "ember fallow fern frosty granite hazel hidden hollow indigo ivory jade juniper lunar maple marble misty mossy "
    "northern oaken ochre olive opal pale pewter quartz quick rusty saffron scarlet silent silver slate stony "
    "sunlit teal tidal umber velvet violet walnut western willow winter"
).split()
SECOND = (
    "alert anchor artifact bastion beacon breadcrumb canary capture cipher clue compass cordon crawler decoy digest "
    "enclave envelope evidence exhibit fingerprint firewall footprint forensics gateway ghost handshake harbor hash "
    "hunt implant indicator keystone lantern ledger lookout nonce outpost packet parser patrol pivot probe quarantine "
    "radar recon registry relay sandbox scanner sentinel sentry signal sinkhole snare stakeout telemetry timeline "
    "token tracer triage tripwire vault vector verdict warden watch witness"
).split()


def generate() -> str:
    """For example `amber-tripwire`."""
    return f"{random.choice(FIRST)}-{random.choice(SECOND)}"  # noqa: S311  # a label, no secret
