"""Checks a proof of Quorate's log with nothing of Quorate: Python's standard library alone.

    quorate history prove --entity-id deploy-7 --seq 1 --data DIR --json > proof.json
    python3 verify_proof.py proof.json 'quorate/4f1a...+0b5c...+AZ...'

The second argument is the public key of the log, from somebody you trust. Exit codes, as of `quorate verify-proof`: 0 it
holds, 19 it does not, 2 the file or the key is not of its form.

What is printed was checked. The `event` beside a proof is a reading of the record for people: its place, entity and time are
compared with the proof, but what happened is in it only as bytes, which this program does not read. `quorate verify-proof` does.
Sources: C2SP signed-note and tlog-checkpoint; RFC 9162, 2.1.3.2 and 2.1.4.2 (Merkle proofs); RFC 8032, 5.1.7 (ed25519);
O'Connor, Aumasson, Neves, Wilcox-O'Hearn, "BLAKE3", 2020, sections 2.1 to 2.4.
"""

import base64, datetime, hashlib, json, struct, sys


class Invalid(Exception):
    pass


def need(holds, what):
    if not holds:
        raise Invalid(what)


# ed25519, RFC 8032 5.1: points as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(s, point):
    result = (0, 1, 1, 0)
    while s > 0:
        if s & 1:
            result = add(result, point)
        point, s = add(point, point), s >> 1
    return result


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def point(data):
    need(len(data) == 32, "a point of the curve has 32 bytes")
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    need(y < P, "a point is not in its canonical form")
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need((x * x - x2) % P == 0 and not (x == 0 and sign), "no point of the curve")
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = point(bytes([0x58]) + bytes([0x66]) * 31)


def ed25519(public, message, signature):
    need(len(signature) == 64, "a signature has 64 bytes")
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    need(s < L, "the signature is not in its canonical form")
    h = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    need(same(times(s, BASE), add(point(r), times(h, point(public)))), "the signature does not fit")


def checkpoint(text, key):
    """Size and root of a checkpoint that this key has signed."""
    name, number, encoded = key.split("+", 2)
    public = base64.b64decode(encoded, validate=True)
    need(public[:1] == b"\x01", "the key is not of ed25519")
    identity = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    need(identity.hex() == number, "the key does not fit its own hash")
    body, _, signatures = text.rpartition("\n\n")
    body += "\n"
    found = 0
    for line in signatures.splitlines():
        need(line.startswith("\u2014 "), "no line of a signature")
        signer, signature = line[2:].split(" ", 1)
        signature = base64.b64decode(signature, validate=True)
        if signer == name and signature[:4] == identity:
            ed25519(public[1:], body.encode(), signature[4:])
            found += 1
    need(found == 1, "the checkpoint is not signed by the key that is trusted")
    origin, size, root = body.split("\n")[:3]
    need(origin == name, "the checkpoint is of another log")
    return int(size), base64.b64decode(root, validate=True)


def leaf(data):
    return hashlib.sha256(b"\x00" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def inclusion(index, size, entry, path, root):
    """RFC 9162, 2.1.3.2."""
    need(0 <= index < size, "the entry is outside of the tree")
    fn, sn, hash = index, size - 1, leaf(entry)
    for step in path:
        need(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            hash = node(step, hash)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            hash = node(hash, step)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and hash == root, "the path does not lead to the root")


def consistency(old, new, old_root, new_root, path):
    """RFC 9162, 2.1.4.2."""
    need(0 <= old <= new, "the older checkpoint is of a larger tree")
    if old in (0, new):
        need(not path, "the path is too long")
        need(old_root == (new_root if old else hashlib.sha256().digest()), "the roots differ")
        return
    path = ([old_root] if old & (old - 1) == 0 else []) + path
    need(path, "the path is empty")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for step in path[1:]:
        need(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            first, second = node(step, first), node(step, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node(second, step)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and first == old_root and second == new_root, "the path does not lead to the roots")


# BLAKE3, of which the chain of records is made.
IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTED = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
START, END, PARENT, ROOT = 1, 2, 4, 8
LANES = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]


def compress(chain, block, counter, flags):
    words = list(struct.unpack("<16I", block.ljust(64, b"\0")))
    s = list(chain) + IV[:4] + [counter & 0xFFFFFFFF, counter >> 32, len(block), flags]

    def turned(x, by):
        return (x >> by | x << 32 - by) & 0xFFFFFFFF

    for _ in range(7):
        for i, (a, b, c, d) in enumerate(LANES):
            for word, one, two in ((words[2 * i], 16, 12), (words[2 * i + 1], 8, 7)):
                s[a] = (s[a] + s[b] + word) & 0xFFFFFFFF
                s[d] = turned(s[d] ^ s[a], one)
                s[c] = (s[c] + s[d]) & 0xFFFFFFFF
                s[b] = turned(s[b] ^ s[c], two)
        words = [words[k] for k in PERMUTED]
    return [s[i] ^ s[i + 8] for i in range(8)]


def subtree(data, first, root):
    """The chaining value of a part of the input; `first` is the number of its first chunk."""
    if len(data) <= 1024:
        chain, blocks = IV, [data[at:at + 64] for at in range(0, len(data), 64)] or [b""]
        for i, block in enumerate(blocks):
            last = i + 1 == len(blocks)
            mark = (START if i == 0 else 0) | (END if last else 0) | (root if last else 0)
            chain = compress(chain, block, first, mark)
        return chain
    left = 1 << ((len(data) + 1023) // 1024 - 1).bit_length() - 1
    pair = [subtree(data[:left * 1024], first, 0), subtree(data[left * 1024:], first + left, 0)]
    return compress(IV, struct.pack("<16I", *pair[0], *pair[1]), 0, PARENT | root)


def blake3(data):
    return struct.pack("<8I", *subtree(data, 0, ROOT))


def record(entry, shown):
    """The record is the one whose chain hash stands in the entry."""
    length = int.from_bytes(entry[10:12], "big")
    covered = bytes.fromhex(shown["previous_hash"]) + entry[9:12 + length] + bytes.fromhex(shown["bytes"])
    need(blake3(covered) == entry[-32:], "the record is not the one in the log")


def compare(entry, event):
    """What the entry says of the event beside the proof: all but what happened."""
    length = int.from_bytes(entry[10:12], "big")
    at = int.from_bytes(entry[20 + length:28 + length], "big", signed=True)
    said = {"position": int.from_bytes(entry[1:9], "big"), "entity_id": entry[12:12 + length].decode(),
            "seq": int.from_bytes(entry[12 + length:20 + length], "big"), "hash": entry[-32:].hex(),
            "at_ms": at // 1000, "at": at}
    shown = datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00"))
    since = shown - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    event = {**event, "at": since // datetime.timedelta(microseconds=1)}
    for name, value in said.items():
        need(event.get(name) == value, f"the event beside the proof is not the one in the log: {name}")


def check(file, key):
    proof = file["proof"]
    path = [base64.b64decode(hash, validate=True) for hash in proof["hashes"]]
    size, root = checkpoint(proof["checkpoint"], key)
    if proof["format"] == "quorate.consistency.v1":
        old_size, old_root = checkpoint(proof["old_checkpoint"], key)
        consistency(old_size, size, old_root, root, path)
        return f"holds: the log of {size} records begins with that of {old_size}"
    need(proof["format"] == "quorate.inclusion.v1", "the format is unknown")
    entry = bytes.fromhex(proof["entry"])
    length = int.from_bytes(entry[10:12], "big")
    need(entry[0] == 1 and len(entry) == 60 + length, "the entry is not of its form")
    position = int.from_bytes(entry[1:9], "big")
    need(position == proof["leaf_index"] + 1, "the entry stands at another place")
    inclusion(proof["leaf_index"], size, entry, path, root)
    name, seq = entry[12:12 + length].decode(), int.from_bytes(entry[12 + length:20 + length], "big")
    said = f"holds: record {position} of {size}, number {seq} of {name!r}"
    if proof.get("record"):
        record(entry, proof["record"])
        said += "; the bytes of the record are those in the log"
    else:
        said += "; what happened is kept back"
    if file.get("event") is not None:
        need(proof.get("record"), "an event is shown beside a proof that keeps it back")
        compare(entry, file["event"])
        said += "\nNOT CHECKED: what the event beside the proof says in `kind`, `event`, `data` and `identity`; `quorate verify-proof` does"
    return said


def read(path):
    def once(pairs):
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise ValueError("a field stands there twice")
        return fields

    with open(path, encoding="utf-8") as opened:
        return json.load(opened, object_pairs_hook=once)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: verify_proof.py PROOF.json PUBLIC-KEY\nThe key is what `quorate history checkpoint` shows, from "
              "somebody you trust.", file=sys.stderr)
        sys.exit(2)
    try:
        print(check(read(sys.argv[1]), sys.argv[2].strip()))
    except Invalid as why:
        print(f"does not hold: {why}", file=sys.stderr)
        sys.exit(19)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, OSError, struct.error) as why:
        print(f"not a proof, or not a key: {why!r}", file=sys.stderr)
        sys.exit(2)
