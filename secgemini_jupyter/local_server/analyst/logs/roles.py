"""What the columns of a log stand for, by their names: "source" is `id.orig_h` in one log and `src_ip` in another."""

from __future__ import annotations

ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # role: (how it is said, in the singular), (columns, the best first)
    "source": (
        ("source ip address", "source ip", "source address", "source host", "src ip", "src", "source",
        "client ip", "client address",
         "client", "origin", "originator", "attacker", "talker", "remote address", "remote ip", "remote host",
         "ip address",
         "ip",
         "address", "sender ip", "visitor"),
        ("id.orig_h", "login_source", "src_ip", "source_ip", "source.ip", "src.ip", "sourceip", "srcip", "saddr",
        "src", "client_ip",
         "clientip", "c-ip", "remote_addr", "remote_ip", "IpAddress", "sourceIPAddress", "SourceAddress", "SourceIp",
         "Source Network Address", "ipAddress", "ip_address", "client.ip", "client", "ip", "ClientIP", "rhost",
         "source", "tx_hosts",
         "assigned_ip", "client_addr"),
    ),
    "destination": (
        ("destination ip address", "destination ip", "destination address", "destination host", "dest ip",
        "dst ip", "dest", "dst",
         "destination", "target ip", "target host", "target", "server ip", "server address", "server",
         "responder", "receiver"),
        ("id.resp_h", "dst_ip", "dest_ip", "destination_ip", "destination.ip", "dst.ip", "dstip", "daddr", "dst",
        "dest",
         "DestAddress", "DestinationIp", "server_ip", "s-ip", "destination", "rx_hosts", "server_addr", "host"),
    ),
    "destination port": (
        ("destination port", "dest port", "dst port", "target port", "server port", "port", "service port"),
        ("id.resp_p", "dst_port", "dest_port", "destination_port", "destination.port", "dst.port", "dport",
        "DestPort",
         "DestinationPort", "port", "server_port", "s-port"),
    ),
    "source port": (
        ("source port", "src port", "client port"),
        ("id.orig_p", "src_port", "source_port", "source.port", "src.port", "sport", "SourcePort", "IpPort"),
    ),
    "user": (
        ("user name", "username", "user", "account name", "account", "login name", "principal", "identity",
        "person", "people", "who"),
        ("login_user", "TargetUserName", "user", "username", "user_name", "user.name", "userName",
        "userIdentity.userName",
         "userIdentity.arn", "actor.alternateId", "account", "account_name", "Account Name", "SubjectUserName",
         "uid_name",
         "cs-username", "client_name", "login", "principal", "actor", "User"),
    ),
    "host": (
        ("host name", "hostname", "host", "machine", "computer", "device", "workstation", "system", "site",
        "web site", "website"),
        ("host", "hostname", "host.name", "Computer", "computer", "ComputerName", "computer_name", "device",
        "device_name",
         "cs-host", "vhost", "server_name", "WorkstationName", "_HOSTNAME", "node", "agent.name", "host_name",
         "id.orig_h", "src_ip", "source_ip", "src"),
    ),
    "server name": (("sni", "server name", "tls name"), ("server_name", "sni", "tls.sni")),
    "status": (
        ("http status code", "http status", "status code", "response code", "return code", "http code", "status",
        "code"),
        ("status_code", "status", "sc-status", "response_code", "http.status_code", "http_status",
        "http.response.status_code",
         "code", "rcode_name", "Status", "outcome", "result"),
    ),
    "method": (
        ("http method", "request method", "verb", "method"),
        ("method", "http_method", "http.request.method", "cs-method", "verb", "request_method", "login_method",
        "auth_method"),
    ),
    "URI": (
        ("request uri", "request path", "uri", "url", "path", "page", "endpoint", "resource"),
        ("uri", "url", "path", "request_uri", "uri_path", "cs-uri-stem", "http.url", "url.path", "request",
        "request_url"),
    ),
    "user agent": (
        ("user agent", "useragent", "browser", "agent"),
        ("user_agent", "userAgent", "useragent", "http_user_agent", "user_agent.original", "cs(User-Agent)",
        "agent", "ua"),
    ),
    "query": (
        ("dns query", "dns name", "queried domain", "queried name", "domain name", "domain", "query", "fqdn",
        "lookup"),
        ("query", "qname", "dns.question.name", "dns_query", "QueryName", "domain", "server_name", "host"),
    ),
    "query type": (("query type", "record type", "qtype", "type"), ("qtype_name", "qtype", "dns.question.type",
    "query_type")),
    "response code": (("rcode", "dns response", "dns status", "response code"), ("rcode_name", "rcode")),
    "protocol": (
        ("transport protocol", "protocol", "proto", "transport"),
        ("proto", "protocol", "network.transport", "transport", "Protocol", "ip_proto"),
    ),
    "service": (("application protocol", "service", "application", "app"), ("service", "app", "application",
    "app_name", "eventSource")),
    "program": (
        ("program", "process name", "process", "daemon", "command", "image"),
        ("program", "process", "process_name", "process.name", "Image", "NewProcessName", "ProcessName",
        "SYSLOG_IDENTIFIER",
         "appname", "_COMM", "command", "cmd", "Application"),
    ),
    "event": (
        ("event id", "event name", "event type", "event code", "event", "action", "activity", "operation", "type",
        "category"),
        ("EventID", "event_id", "eventName", "event.action", "event", "event_type", "action", "operation",
        "event.code", "type",
         "category", "login_kind", "Event ID", "EventType", "name"),
    ),
    "provider": (("provider", "event source"), ("Provider", "provider", "eventSource", "SourceName", "source")),
    "channel": (("channel",), ("Channel", "channel")),
    "logon type": (("logon type", "login type"), ("LogonType", "logon_type", "Logon Type")),
    "MIME type": (
        ("mime type", "content type", "media type", "file type"),
        ("resp_mime_types", "mime_type", "content_type", "http.response.mime_type", "orig_mime_types"),
    ),
    "file name": (("file name", "filename", "file"), ("filename", "file_name", "file.name", "resp_filenames",
    "file", "name", "path")),
    "hash": (("hash", "file hash"), ("sha256", "sha1", "md5", "hash", "file.hash.sha256", "Hashes")),
    "MD5": (("md5",), ("md5",)),
    "level": (("severity level", "log level", "severity", "level", "priority"), ("level", "severity", "log.level",
    "PRIORITY", "priority", "Level", "loglevel")),
    "message": (("message", "text", "msg"), ("message", "msg", "MESSAGE", "log", "Message", "event.original")),
    "country": (("country", "location", "geo"), ("country", "geo.country", "country_code", "location.country",
    "source.geo.country_iso_code", "geoip.country_name")),
    "state": (("connection state", "conn state", "state"), ("conn_state", "state")),
    "reason": (("reason", "error message", "failure reason", "error code"), ("error_msg", "reason",
    "failure_reason", "errorCode", "error", "errorMessage", "login_detail", "FailureReason", "SubStatus")),
    "referrer": (("referrer", "referer"), ("referrer", "referer", "http.request.referrer", "cs(Referer)")),
    "issuer": (("certificate issuer", "issuer"), ("issuer", "certificate.issuer")),
    "subject": (("subject",), ("subject", "certificate.subject")),
    "version": (("tls version", "ssl version", "version"), ("version", "tls.version")),
    "cipher": (("cipher", "cipher suite"), ("cipher", "tls.cipher")),
}  # fmt: skip
"""Who says "port" means the destination's, and "IP" the source's, unless it says more."""

SENT = (
    "orig_bytes",
    "request_body_len",
    "bytes_out",
    "bytes_sent",
    "sent_bytes",
    "sentbyte",
    "cs-bytes",
    "bytes_toserver",
    "source.bytes",
    "out_bytes",
)
RECEIVED = (
    "resp_bytes", "response_body_len", "bytes_in", "bytes_received", "received_bytes", "rcvdbyte", "sc-bytes",
    "bytes_toclient", "destination.bytes", "in_bytes",
)  # fmt: skip
EITHER = (
    "bytes", "total_bytes", "size", "seen_bytes", "body_bytes_sent", "bytes_total", "network.bytes", "content_length",
    "response_size", "length", "len", "octets", "file_size", "body_bytes",
)  # fmt: skip
DURATION = (
    "duration", "elapsed", "time_taken", "time-taken", "latency", "response_time", "request_time", "took", "rtt",
    "duration_ms", "elapsed_ms", "event.duration", "session_duration",
)  # fmt: skip
ADDRESSES = ("source", "destination", "host")
"""Roles whose columns hold addresses, or the names of machines."""
CATEGORIES = frozenset(
    {"status", "destination port", "source port", "event", "logon type", "level", "response code", "query type"}
)
"""Roles whose numbers name something: there is no mean of them."""
