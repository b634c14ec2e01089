use signed_note::{Signer, StandardSigner};
use tlog_tiles::Hash;

use super::*;
use crate::checkpoint::LogKey;

/// A checkpoint of a public log, with the signatures of the log and of four witnesses, each run by others and each with a program
/// of its own (2026).
const PUBLIC: &str = "arche2025h1.staging.ct.transparency.dev\n\
    1432088532\n\
    U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n\
    \u{2014} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n\
    \u{2014} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n\
    \u{2014} transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n\
    \u{2014} witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n\
    \u{2014} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n\
    \u{2014} witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==\n";

/// The key of that log.
const LOG: &str =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";

/// The keys of those witnesses, as their operators publish them.
const WITNESSES: [&str; 4] = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
];

#[test]
fn cosignatures_by_others_below_a_public_checkpoint_are_believed() {
    let log = PublicKey::from_text(LOG).unwrap();
    for witness in WITNESSES {
        let key = WitnessKey::from_text(witness).unwrap();
        let (checkpoint, seen) = key.read(&log, PUBLIC).unwrap();
        assert_eq!((checkpoint.size, seen.witness.as_str()), (1_432_088_532, key.name()));
        assert_eq!(seen.time, 0x6a12_2120, "{witness}");
        assert!(PUBLIC.contains(&format!("\n{}\n", seen.line)));
        // Of another size, another root, another time, or another witness it is none.
        for (from, to) in [("1432088532", "1432088533"), ("U7WM", "U7WN"), ("AAAABqEiEg", "AAAABqEiEh")] {
            let forged = PUBLIC.replacen(from, to, 9);
            assert_ne!(forged, PUBLIC);
            assert!(matches!(key.find(&forged), Err(Refusal::Unsigned { .. })), "{witness} {from}");
        }
    }
    let stranger =
        "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G";
    let stranger = WitnessKey::from_text(stranger).unwrap();
    assert!(matches!(stranger.read(&log, PUBLIC), Err(Refusal::Unsigned { .. })));
}

#[test]
fn the_line_of_the_specification_is_taken_apart_as_it_says() {
    // The example of tlog-cosignature; no key is published for it.
    let line = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
    let read = Signature::from_bytes(line.as_bytes()).unwrap();
    let (time, signature) = read.signature().split_first_chunk::<TIME>().unwrap();
    assert_eq!((read.id(), u64::from_be_bytes(*time), signature.len()), (0x8d66_cf3f, 1_679_315_147, 64));
}

#[test]
fn a_key_that_is_not_that_of_a_witness_is_refused() {
    for text in [
        "",
        "a+b",
        "a+00000000+AAAA",
        // The key of a log signs without a time.
        LOG,
        // The hash of another key.
        "witness.stagemole.eu+67f7aea1+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
        "witness.stagemole.eu+67f7aea0+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    ] {
        assert!(matches!(WitnessKey::from_text(text), Err(Refusal::Malformed { .. })), "{text}");
    }
}

/// A witness that signs whatever it is shown.
fn witness(name: &str, seed: u8) -> (StandardSigner, WitnessKey) {
    let text = LogKey::generate(name, [seed; 32]);
    let (private, public) = text.trim_end().split_once('\n').unwrap();
    let plain = BASE64.decode(public.splitn(3, '+').last().unwrap()).unwrap();
    let key = [&[TIMESTAMPED_ED25519], &plain[1..]].concat();
    let text = format!("{name}+{:08x}+{}", key_id(name, &key), BASE64.encode(&key));
    (StandardSigner::new(private).unwrap(), WitnessKey::from_text(&text).unwrap())
}

fn cosign(signer: &StandardSigner, key: &WitnessKey, checkpoint: &str, time: u64) -> String {
    let (body, _) = checkpoint.rsplit_once("\n\n").unwrap();
    let message = format!("cosignature/v1\ntime {time}\n{body}\n");
    let signed = [&time.to_be_bytes()[..], &signer.sign(message.as_bytes()).unwrap()].concat();
    let line = Signature::new(key.name().to_owned(), key.id, signed).unwrap().to_bytes();
    format!("{checkpoint}{}", String::from_utf8(line).unwrap())
}

#[test]
fn the_cosignatures_of_several_witnesses_stand_below_one_checkpoint() {
    let log = LogKey::from_text(&LogKey::generate("quorate/test", [5; 32])).unwrap();
    let signed = log.sign(7, &Hash([9; 32])).unwrap();
    let (one, other) = (witness("one.example", 1), witness("other.example", 2));
    let mut all = Vec::new();
    for (signer, key) in [&one, &other] {
        let (checkpoint, seen) = key.read(log.public(), &cosign(signer, key, &signed, 1_000)).unwrap();
        assert_eq!((checkpoint.size, seen.time), (7, 1_000));
        all.push(seen);
    }
    let text = with_cosignatures(&signed, &[all.clone(), all.clone()].concat()).unwrap();
    assert_eq!(text.lines().count(), signed.lines().count() + 2, "each once");
    for (_, key) in [&one, &other] {
        assert!(key.read(log.public(), &text).is_ok());
    }
    assert_eq!(log.public().read(&text).unwrap().size, 7, "the log's own signature still stands");
    // A time that is none, and the cosignature of one under the name of the other.
    let late = cosign(&one.0, &one.1, &signed, 1 << 63);
    assert!(matches!(one.1.read(log.public(), &late), Err(Refusal::Unsigned { .. })));
    let swapped = cosign(&one.0, &other.1, &signed, 1_000);
    assert!(matches!(other.1.read(log.public(), &swapped), Err(Refusal::Unsigned { .. })));
}
