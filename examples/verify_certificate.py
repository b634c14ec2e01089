#!/usr/bin/env python3
"""Checks a decision certificate of Quorate without Quorate: python3 verify_certificate.py FILE

Written from src/docs/certificate_format.md; it shares nothing with the program. It needs the package `cryptography` for
Ed25519. BLAKE3 stands below, from its paper. Exit code 0: it holds; 18: it does not; 2: it is no certificate.
`--self-test` runs the published vectors of RFC 8032 (section 7.1) and of BLAKE3.
"""
import json, struct, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTED = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
START, END, PARENT, ROOT, CONTEXT, MATERIAL = 1, 2, 4, 8, 32, 64
LANES = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
def compress(chain, block, counter, flags):
    words = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    s = list(chain) + IV[:4] + [counter & 0xFFFFFFFF, counter >> 32, len(block), flags]
    turned = lambda x, by: (x >> by | x << 32 - by) & 0xFFFFFFFF
    for _ in range(7):
        for i, (a, b, c, d) in enumerate(LANES):
            for word, one, two in ((words[2 * i], 16, 12), (words[2 * i + 1], 8, 7)):
                s[a] = (s[a] + s[b] + word) & 0xFFFFFFFF
                s[d] = turned(s[d] ^ s[a], one)
                s[c] = (s[c] + s[d]) & 0xFFFFFFFF
                s[b] = turned(s[b] ^ s[c], two)
        words = [words[k] for k in PERMUTED]
    return [s[i] ^ s[i + 8] for i in range(8)]
def blake3_node(data, key, flags, first, root):
    """The chaining value of a part of the input; `first` is the number of its first chunk."""
    if len(data) <= 1024:
        chain, blocks = key, [data[at:at + 64] for at in range(0, len(data), 64)] or [b""]
        for i, block in enumerate(blocks):
            mark = (0 if i else START) | (END | root if i + 1 == len(blocks) else 0)
            chain = compress(chain, block, first, flags | mark)
        return chain
    left = 1 << ((len(data) + 1023) // 1024 - 1).bit_length() - 1
    pair = [blake3_node(data[:left * 1024], key, flags, first, 0),
            blake3_node(data[left * 1024:], key, flags, first + left, 0)]
    return compress(key, struct.pack("<16I", *pair[0], *pair[1]), 0, flags | PARENT | root)
blake3 = lambda data, key=IV, flags=0: struct.pack("<8I", *blake3_node(data, key, flags, 0, ROOT))
derived = lambda of, data: blake3(data, list(struct.unpack("<8I", blake3(of.encode(), IV, CONTEXT))), MATERIAL)
class Flaw(Exception): pass
def need(holds, why, kind=Flaw):
    if not holds:
        raise kind(why)

u32, text = lambda n: struct.pack(">I", n), lambda s: u32(len(s.encode())) + s.encode()
maybe = lambda x, write: b"\0" if x is None else b"\1" + write(x)
each = lambda items, write: u32(len(items)) + b"".join(write(item) for item in items)
def one_of(value, *names):
    need(value in names, f"unknown word {value!r}")
    return bytes([names.index(value) + 1])
P = 2**255 - 19
# The points whose order divides 8 have one of these for y, besides 0, 1 and -1.
ORDER_8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
def good_key(key):
    y = int.from_bytes(key, "little") & (1 << 255) - 1
    return y < P and y not in (0, 1, P - 1, ORDER_8, P - ORDER_8)
def verifies(key, message, signature):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return good_key(signature[:32])  # strict verification asks the same of the point in the signature
def ballot_bytes(ballot):
    ((kind, said),) = ballot.items()
    if kind == "approve":
        return b"\1" + one_of(said, "for", "against", "abstain")
    if kind == "choice":
        return b"\2" + text(said)
    if kind == "approval":
        return b"\3" + each(sorted(set(said), key=str.encode), text)
    return b"\4" + each(sorted(said.items(), key=lambda s: s[0].encode()), lambda s: text(s[0]) + u32(s[1]))
def supports(ballot, pick):
    ((kind, said),) = ballot.items()
    if kind == "approve":
        return said == pick
    name = pick.get("candidate") if isinstance(pick, dict) else None
    return name is not None and {"choice": lambda: said == name, "approval": lambda: name in said,
                                 "scores": lambda: said.get(name, 0) >= 500_000}[kind]()

# Of an option one form fits; a list holds things of one form; every named field is there, and no other.
FORM = {
    "format": str, "version": int, "session_id": str, "outcome": str, "pick": (str, {"candidate": str}), "round": int,
    "rule": {"basis": str, "threshold": str, "declared_faults": (None, int), "n": int, "heads": int, "power": int},
    "terms": {"proposal": str, "ballot_type": (str, {"approval": {"most": int}}), "rounds": int, "power_cap": bool,
              "candidates": [{"candidate_id": str, "kind": str}], "switch_policy": str, "close_policy": str,
              "revision": str, "authentication": str, "commit_reveal": bool},
    "operation": (None, {"tool": str, "operation_hash": str, "expires_at_us": (None, int), "uses": int, "fence": (None, int)}),
    "electorate": [{"voter_id": str, "public_key": (None, str), "power": int, "key_version": (None, int)}],
    "weights": (None, {"source": str, "version": int, "questions": int, "answers": int}), "electorate_hash": str, "terms_hash": str,
    "delegations": [{"from": str, "to": str, "public_key": str, "issued_at_us": int, "signature": str}],
    "ballots": [{"voter_id": str, "seq": int, "issued_at_us": int, "score": int, "confidence": int, "signature": str,
                 "claimed_weight": (None, int), "reasoning_hash": (None, str),
                 "ballot": ({"approve": str}, {"choice": str}, {"approval": [str]}, {"scores": {str: int}})}],
    "position": {"seq": int, "position": int, "record_hash": str}}
def fits(value, form):
    if type(form) is tuple: return any(fits(value, one) for one in form)
    if type(form) not in (list, dict) or type(value) is not type(form):
        return type(value) is form or value is form is None
    if type(form) is list:
        return all(fits(item, form[0]) for item in value)
    form = dict.fromkeys(value, form[str]) if str in form else form
    return value.keys() == form.keys() and all(fits(value[k], form[k]) for k in form)
def once(pairs):
    need(len(dict(pairs)) == len(pairs), "a field stands there twice", ValueError)
    return dict(pairs)
def raw(digits, size=32):
    need(bytes.fromhex(digits).hex() == digits and len(digits) == 2 * size, "not hexadecimal in lower case", ValueError)
    return bytes.fromhex(digits)
def operation(o):
    return b"\1" + text(o["tool"]) + raw(o["operation_hash"]) + maybe(
        o["expires_at_us"], lambda us: struct.pack(">q", us)) + u32(o["uses"]) + maybe(o["fence"], lambda n: struct.pack(">Q", n))
learned = lambda w: b"\2" + text(w["source"]) + u32(w["version"]) + u32(w["questions"]) + u32(w["answers"])
def check(c):
    c = {"operation": None, "weights": None, "delegations": [], **c}
    c["electorate"] = [{"key_version": None, **v} for v in c["electorate"]]
    need(fits(c, FORM), "a field is missing, unknown or of another type", ValueError)
    need((c["format"], c["version"]) == ("quorate decision certificate", 1), "another format")
    rule, terms, voters, changed = c["rule"], c["terms"], c["electorate"], [v for v in c["electorate"] if v["key_version"] is not None]
    names, keys = [v["voter_id"] for v in voters], [v["public_key"] for v in voters if v["public_key"]]
    need(names == sorted(set(names), key=str.encode), "the electorate is not in order")
    need(len(keys) == len(set(keys)) and all(good_key(raw(key)) for key in keys), "two voters have one key, or a weak one")
    n, power, f = len(voters), sum(v["power"] for v in voters), rule["declared_faults"]
    heads = (n + f) // 2 + 1 if f is not None else 2 * n // 3 + 1 if rule["threshold"] == "strict" else -(-2 * n // 3)
    need(n >= 3 and (f is None or n > 3 * f), "too few voters")
    need((rule["n"], rule["power"], rule["heads"]) == (n, power, heads) and power > 0, "the rule is not of this electorate")
    electorate = derived("quorate session electorate v1", b"\1\1" + each(voters, lambda v: text(v["voter_id"]) + maybe(
        v["public_key"], raw) + struct.pack(">Q", v["power"])))
    need(electorate.hex() == c["electorate_hash"], "the hash of the electorate")
    kind = terms["ballot_type"]
    tag = b"\3" + u32(kind["approval"]["most"]) if isinstance(kind, dict) else bytes(
        [{"approve": 1, "choice": 2, "scores": 4}[kind]])
    terms_hash = derived("quorate session terms v1", b"".join([
        b"\1\1", text(terms["proposal"]), tag,
        each(terms["candidates"], lambda one: text(one["candidate_id"]) + text(one["kind"])), u32(terms["rounds"]),
        one_of(terms["switch_policy"], "exclude", "flag", "allow"),
        one_of(terms["close_policy"], "on_quorum", "all_or_deadline"), one_of(terms["revision"], "final", "revisable"),
        one_of(terms["authentication"], "required", "optional"),
        bytes([terms["commit_reveal"], terms["power_cap"]]), one_of(rule["basis"], "heads", "power", "both"),
        one_of(rule["threshold"], "strict", "at_least"), maybe(f, u32), operation(c["operation"]) if c["operation"] else b"",
        learned(c["weights"]) if c["weights"] else b"",
        b"\3" + each(changed, lambda v: text(v["voter_id"]) + u32(v["key_version"])) if changed else b""]))
    need(terms_hash.hex() == c["terms_hash"], "the hash of the terms")
    pick, outcome, binding = c["pick"], c["outcome"], b"\1\1" + text(c["session_id"]) + electorate + terms_hash
    if kind == "approve":
        need((pick, outcome) in (("for", "decided"), ("against", "rejected")), "the outcome")
    else:
        listed = [one["candidate_id"] for one in terms["candidates"]]
        need(outcome == "decided" and isinstance(pick, dict) and pick.get("candidate") in listed, "the outcome")
    signers = [b["voter_id"] for b in c["ballots"]]
    need(c["round"] == terms["rounds"] and signers == sorted(set(signers), key=str.encode), "the round, or the order of ballots")
    holders, signed, instead = {v["voter_id"]: (v["public_key"], v["power"], v["voter_id"]) for v in voters}, 0, ""
    for d in c["delegations"]:  # who ever had a place takes none, and no key stands for two
        key, held, place = holders.pop(d["from"], (None, 0, ""))
        need(key and d["to"] not in names and d["public_key"] not in keys, f"the place of {d['from']} goes astray")
        message = b"quorate session delegation v1\0" + binding + text(d["from"]) + text(d["to"]) + b"\1" + raw(
            d["public_key"]) + struct.pack(">q", d["issued_at_us"])
        need(good_key(raw(d["public_key"])) and verifies(raw(key), message, raw(d["signature"], 64)), "a place's signature")
        names, keys, holders[d["to"]] = names + [d["to"]], keys + [d["public_key"]], (d["public_key"], held, place)
    for b in c["ballots"]:
        key, held, place = holders.get(b["voter_id"], (None, 0, ""))
        need(key, f"{b['voter_id']} is a stranger")
        need(supports(b["ballot"], pick) and max(b["score"], b["confidence"]) <= 1_000_000, "another vote")
        message = b"quorate session vote v1\0" + binding + b"".join([u32(c["round"]), text(b["voter_id"]),
            struct.pack(">Qq", b["seq"], b["issued_at_us"]), ballot_bytes(b["ballot"]), u32(b["score"]),
            u32(b["confidence"]), maybe(b["claimed_weight"], lambda w: struct.pack(">Q", w)),
            maybe(b["reasoning_hash"], raw)])
        need(verifies(raw(key), message, raw(b["signature"], 64)), f"the signature of {b['voter_id']}")
        signed, instead = signed + held, instead + (f", {b['voter_id']} for {place}" if place != b["voter_id"] else "")
    enough = 3 * signed >= 2 * power if rule["threshold"] == "at_least" and f is None else 3 * signed > 2 * power
    need((rule["basis"] == "power" or len(signers) >= heads) and (rule["basis"] == "heads" or enough), "no quorum")
    return f"{c['session_id']}: {outcome}, {len(signers)} of {n} voters signed, {heads} are needed{instead}"
VECTORS = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")]
def main():
    if sys.argv[1:] == ["--self-test"]:
        for key, message, signature in VECTORS:
            key, message, signature = map(bytes.fromhex, (key, message, signature))
            assert verifies(key, message, signature) and not verifies(key, message + b"\0", signature)
        assert blake3(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        assert not good_key(bytes([1] + 31 * [0])) and not good_key(bytes(32)) and good_key(bytes.fromhex(VECTORS[0][0]))
        return print("the published vectors hold")
    if len(sys.argv) != 2:
        sys.exit(print("usage: verify_certificate.py FILE", file=sys.stderr) or 2)
    try:
        print(check(json.load(open(sys.argv[1], encoding="utf-8"), object_pairs_hook=once)))
    except Flaw as flaw:
        print(f"the certificate does not hold: {flaw}", file=sys.stderr)
        sys.exit(18)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OSError, struct.error) as error:
        print(f"not a certificate: {error!r}", file=sys.stderr)
        sys.exit(2)

main()
