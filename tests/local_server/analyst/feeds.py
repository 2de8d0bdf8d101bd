"""Files in the published formats, with the values that their publishers gave for these CVEs.

CISA: known_exploited_vulnerabilities_schema.json; FIRST: epss_scores-YYYY-MM-DD.csv.gz; NVD: schema of the CVE API 2.0
(cve_api_json_2.0.schema) and of the feeds 1.1 (nvd_cve_feed_json_1.1.schema).
"""

from __future__ import annotations

import json
from typing import Any

LOG4SHELL = "CVE-2021-44228"
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"

KEV_ROW = {
    "cveID": LOG4SHELL,
    "vendorProject": "Apache",
    "product": "Log4j2",
    "vulnerabilityName": "Apache Log4j2 Remote Code Execution Vulnerability",
    "dateAdded": "2021-12-10",
    "shortDescription": "Apache Log4j2 contains a vulnerability where JNDI features do not protect against "
    "attacker-controlled JNDI-related endpoints, allowing for remote code execution.",
    "requiredAction": "For all affected software assets for which updates exist, apply updates.",
    "dueDate": "2021-12-24",
    "knownRansomwareCampaignUse": "Known",
    "notes": "https://nvd.nist.gov/vuln/detail/CVE-2021-44228",
    "cwes": ["CWE-20", "CWE-400", "CWE-502"],
}


def kev(*rows: dict[str, Any], version: str = "2026.11.20") -> bytes:
    head = {"title": "CISA Catalog of Known Exploited Vulnerabilities", "catalogVersion": version,
            "dateReleased": version.replace(".", "-") + "T15:00:09.1234Z", "count": len(rows) or 1}  # fmt: skip
    return json.dumps(head | {"vulnerabilities": rows or [KEV_ROW]}).encode()


KEV_CSV = (
    b"cveID,vendorProject,product,vulnerabilityName,dateAdded,shortDescription,requiredAction,dueDate,"
    b"knownRansomwareCampaignUse,notes,cwes\r\n"
    b'CVE-2021-44228,Apache,Log4j2,"Apache Log4j2, Remote Code Execution",2021-12-10,"What ""it"" is",Apply updates.,'
    b'2021-12-24,Known,,"CWE-20, CWE-400"\r\n'
)
EPSS = (
    b"#model_version:v2025.03.14,score_date:2026-11-29T12:55:00Z\ncve,epss,percentile\n"
    b"CVE-2021-44228,0.94358,0.99964\nCVE-1999-0001,0.01239,0.78522\n"
)


def nvd_entry(cve: str = LOG4SHELL, modified: str = "2025-10-27T17:35:27.440", text: str = "Apache Log4j2") -> Any:
    primary = {"source": "nvd@nist.gov", "type": "Primary"}
    three = {"version": "3.1", "vectorString": VECTOR, "baseScore": 10.0, "baseSeverity": "CRITICAL"}
    two = {"version": "2.0", "vectorString": "AV:N/AC:M/Au:N/C:C/I:C/A:C", "baseScore": 9.3}
    return {
        "id": cve,
        "sourceIdentifier": "security@apache.org",
        "published": "2021-12-10T10:15:09.143",
        "lastModified": modified,
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "es", "value": "No"}, {"lang": "en", "value": text}],
        "metrics": {
            "cvssMetricV31": [primary | {"cvssData": three, "exploitabilityScore": 3.9, "impactScore": 6.0}],
            "cvssMetricV2": [primary | {"cvssData": two, "baseSeverity": "HIGH"}],
        },
        "weaknesses": [
            primary | {"description": [{"lang": "en", "value": each} for each in ("CWE-917", "NVD-CWE-Other")]}
        ],
        "references": [{"url": "https://logging.apache.org/log4j/2.x/security.html"}, {"url": "https://example.com/"}],
    }  # fmt: skip


def nvd(*entries: Any, timestamp: str = "2026-11-28T00:00:00.000") -> bytes:
    found = entries or (nvd_entry(),)
    head = {"resultsPerPage": len(found), "startIndex": 0, "totalResults": len(found), "format": "NVD_CVE",
            "version": "2.0", "timestamp": timestamp}  # fmt: skip
    return json.dumps(head | {"vulnerabilities": [{"cve": each} for each in found]}).encode()


NVD_1 = json.dumps({
    "CVE_data_type": "CVE", "CVE_data_format": "MITRE", "CVE_data_version": "4.0", "CVE_data_numberOfCVEs": "1",
    "CVE_data_timestamp": "2023-12-15T08:00Z",
    "CVE_Items": [{
        "cve": {
            "data_type": "CVE", "CVE_data_meta": {"ID": LOG4SHELL, "ASSIGNER": "security@apache.org"},
            "problemtype": {"problemtype_data": [{"description": [{"lang": "en", "value": "CWE-502"}]}]},
            "references": {"reference_data": [{"url": "https://example.com/"}]},
            "description": {"description_data": [{"lang": "en", "value": "Of the older feed"}]},
        },
        "impact": {
            "baseMetricV3": {"cvssV3": {"version": "3.1", "vectorString": VECTOR, "baseScore": 10.0,
                                        "baseSeverity": "CRITICAL"}},
            "baseMetricV2": {"cvssV2": {"version": "2.0", "vectorString": "AV:N/AC:M/Au:N/C:C/I:C/A:C",
                                        "baseScore": 9.3},
                             "severity": "HIGH"},
        },
        "publishedDate": "2021-12-10T10:15Z", "lastModifiedDate": "2023-11-07T03:39Z",
    }],
}).encode()  # fmt: skip
