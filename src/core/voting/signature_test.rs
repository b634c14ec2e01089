use super::*;

/// RFC 8032, section 7.1: key, message and signature of tests 1 to 3.
const RFC_8032: [(&str, &str, &str); 3] = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_vectors_of_rfc_8032_verify_and_no_changed_one_does() {
    for (key, message, signature) in RFC_8032 {
        let (key, message) = (key.parse::<PublicKey>().unwrap(), bytes(message));
        let signature: Signature = signature.parse().unwrap();
        assert_eq!(key.check(), Ok(()));
        assert!(key.verifies(&message, &signature));
        assert!(!key.verifies(&[&message[..], &[0]].concat(), &signature));
        for at in [0, 31, 32, 63] {
            let mut changed = *signature.as_bytes();
            changed[at] ^= 1;
            assert!(!key.verifies(&message, &Signature::new(changed)), "byte {at}");
        }
    }
}

/// The encodings of small order, from *Taming the many EdDSAs*, table 1 of its appendix, and second encodings.
#[test]
fn weak_keys_and_second_encodings_are_refused() {
    let weak = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    for key in weak {
        assert_eq!(key.parse::<PublicKey>().unwrap().check(), Err(BadKey::Weak), "{key}");
    }
    let second = [
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for key in second {
        assert_eq!(key.parse::<PublicKey>().unwrap().check(), Err(BadKey::NotCanonical), "{key}");
    }
    let no_point = "0200000000000000000000000000000000000000000000000000000000000000";
    assert_eq!(no_point.parse::<PublicKey>().unwrap().check(), Err(BadKey::NoPoint));
}

/// The identity as a key, and a signature that fits every message under it when the check is not strict.
#[test]
fn a_signature_under_a_key_of_small_order_proves_nothing() {
    let mut all = [0; 64];
    all[0] = 1;
    let identity = PublicKey::new(std::array::from_fn(|i| u8::from(i == 0)));
    assert!(!identity.verifies(b"anything", &Signature::new(all)));
}

#[test]
fn texts_of_bytes_are_lower_case_and_of_one_length() {
    assert!("00".repeat(31).parse::<Digest>().is_err() && "0".repeat(65).parse::<Digest>().is_err());
    assert!("AB".repeat(32).parse::<Digest>().is_err());
    let text = "ab".repeat(64);
    assert_eq!(text.parse::<Signature>().unwrap().to_string(), text);
    let json = serde_json::to_string(&text.parse::<Signature>().unwrap()).unwrap();
    assert_eq!(json, format!("\"{text}\""));
    assert_eq!(serde_json::from_str::<Signature>(&json).unwrap().to_string(), text);
}

#[test]
fn canonical_bytes_are_drawn_as_the_page_draws_them() {
    let made = Canon::new(1)
        .text("é")
        .u32(7)
        .i64(-1)
        .maybe(None::<u64>, Canon::u64)
        .maybe(Some(5), Canon::u64)
        .each([1, 2].into_iter(), Canon::u8)
        .done();
    let drawn = "01 01 00000002c3a9 00000007 ffffffffffffffff 00 010000000000000005 00000002 01 02";
    assert_eq!(made, bytes(&drawn.replace(' ', "")));
    // The same bytes have another hash for each purpose.
    assert_ne!(Domain::Vote.hash(&made), Domain::Commit.hash(&made));
}
