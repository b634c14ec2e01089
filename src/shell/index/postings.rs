//! Terms, and lists of the records that have one.

/// A term: what is said, and in which part. Two terms may have one number; then a record is looked at in vain.
pub(crate) fn term(part: u8, text: &str) -> u64 {
    // FNV-1a, and the last step of MurmurHash3 over it: the upper bits choose the bucket.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in std::iter::once(part).chain(text.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Appends a list of growing numbers: their length in bytes and form, then the distances between them, or a bit for each.
pub(super) fn write(out: &mut Vec<u8>, list: &[u16]) {
    let mut distances = Vec::with_capacity(list.len());
    let mut before = 0_u32;
    for number in list {
        varint(&mut distances, u32::from(*number) - before);
        before = u32::from(*number);
    }
    let bits = list.last().map_or(0, |last| usize::from(*last) / 8 + 1);
    if bits < distances.len() {
        varint(out, (bits as u32) << 1 | 1);
        let from = out.len();
        out.resize(from + bits, 0);
        for number in list {
            out[from + usize::from(*number) / 8] |= 1 << (number % 8);
        }
    } else {
        varint(out, (distances.len() as u32) << 1);
        out.extend_from_slice(&distances);
    }
}

/// Takes one list off the front of `bytes`, and reads it if it is wanted.
pub(super) fn read(bytes: &mut &[u8], wanted: bool) -> Option<Vec<u16>> {
    let form = take_varint(bytes)?;
    let (list, rest) = bytes.split_at_checked((form >> 1) as usize)?;
    *bytes = rest;
    let mut out = Vec::new();
    if !wanted {
        return Some(out);
    }
    if form & 1 == 1 {
        for (at, byte) in list.iter().enumerate() {
            for bit in (0..8).filter(|bit| byte & (1 << bit) != 0) {
                out.push(u16::try_from(at * 8 + bit).ok()?);
            }
        }
        return Some(out);
    }
    let (mut list, mut before) = (list, 0_u32);
    while !list.is_empty() {
        before = before.checked_add(take_varint(&mut list)?)?;
        out.push(u16::try_from(before).ok()?);
    }
    Some(out)
}

fn varint(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
