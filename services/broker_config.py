"""mosquitto's configuration, the same numbers for `twin up` and for docker-compose.yml.

The numbers carry 10,000 satellites on one machine (measured; docs/decisions/0010).
"""

from dataclasses import dataclass

NUMBERS = """\
# A burst waits in the broker for the ingester: 1,000 messages (the default) would be a tenth of
# a second. 0 is not unlimited in every 2.0 release, so a number is written.
max_queued_messages 1000000
max_queued_bytes 2000000000
max_inflight_messages 1000
set_tcp_nodelay true

# What a stranger can cost before it has logged in: mosquitto closes a silent connection only
# after 90 s, so there is room for many of them beside those who are at work.
max_packet_size 2000000
max_connections 1000

# A snapshot every 30 s: what a crash loses is sent again by the simulator, which keeps every
# batch until the ingester's watermark has passed it.
persistence true
autosave_interval 30
persistent_client_expiration 7d

log_type error
log_type warning
log_type notice
"""


@dataclass(frozen=True)
class BrokerPlaces:
    """Where the broker finds what it needs; paths as the broker sees them."""

    address: str  # to listen on
    port: int
    passwords: str
    access: str
    data: str  # directory
    log: str  # `stderr`, or `file PATH`
    certificate: str = ""  # with the key: TLS and nothing else on this port
    key: str = ""
    user: str = ""  # system user to become when started by root; empty: mosquitto's own choice


def mosquitto_conf(places: BrokerPlaces) -> str:
    """The configuration: one listener, no stranger, an identifier that is the user's name."""
    rows = ["# Made by services/broker_config.py; changes here are lost."]
    if places.user:
        rows.append(f"user {places.user}")
    rows += [
        f"listener {places.port} {places.address}",
        "# With identifiers of their own choice one user could take over another's session.",
        "use_username_as_clientid true",
    ]
    if places.certificate:
        rows += [
            f"certfile {places.certificate}",
            f"keyfile {places.key}",
            "# The oldest version that is spoken.",
            "tls_version tlsv1.2",
        ]
    rows += [
        "allow_anonymous false",
        f"password_file {places.passwords}",
        f"acl_file {places.access}",
        f"persistence_location {places.data.rstrip('/')}/",
        f"log_dest {places.log}",
        "",
    ]
    return "\n".join(rows) + NUMBERS
