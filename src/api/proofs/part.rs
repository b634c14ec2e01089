//! The check of a part of the journal: a range of positions, or what came after a checkpoint.
//!
//! ```text
//!  from … upto   hashes and links of its commit groups; what stands before it is believed
//!  since         the log goes on from the checkpoint, by the hashes that are kept of it, and everything behind it is checked
//! ```

use quorate_proofs::checkpoint::PublicKey;

use super::super::Quorate;
use super::super::dto::{Verified, VerifiedPart, VerifyHistory};
use super::{VERIFY_PAGE, broken_view, check_view, on_log, refusal, whole_checkpoint};
use crate::error::Error;
use crate::journal::Position;
use crate::shell::host::wait;
use crate::shell::transparency::Continued;

/// What is to be checked.
pub(super) enum Part {
    Range(Position, Option<Position>),
    Since(String),
}

/// The part that a request names, if it names one.
///
/// # Errors
/// `invalid_argument` for a range without a record, and for a part beside what is about the whole.
pub(super) fn asked(request: &VerifyHistory) -> Result<Option<Part>, Error> {
    let (from, upto) = (request.from, request.upto);
    if from.is_none() && upto.is_none() && request.since.is_none() {
        return Ok(None);
    }
    if let Some(checkpoint) = &request.checkpoint {
        let expected =
            "none beside from, upto and since: whether it is contained is seen by reading everything";
        return Err(Error::invalid("checkpoint", checkpoint.trim_end(), expected));
    }
    for (field, position) in [("from", from), ("upto", upto)] {
        if let Some(position) = position.filter(|position| *position == 0 || request.since.is_some()) {
            let expected = match request.since {
                Some(_) => "none beside since, which says where the part begins; it ends with the journal",
                None => "a position, at least 1",
            };
            return Err(Error::invalid(field, position, expected));
        }
    }
    if let Some(text) = &request.since {
        return Ok(Some(Part::Since(whole_checkpoint("since", text.clone())?)));
    }
    let from = from.unwrap_or(1);
    if let Some(upto) = upto.filter(|upto| *upto < from) {
        return Err(Error::invalid("from", from, &format!("a position up to upto, which is {upto}")));
    }
    Ok(Some(Part::Range(from, upto)))
}

/// Checks a part.
pub(super) async fn verify(
    q: &Quorate,
    part: Part,
    key: Option<PublicKey>,
    mut progress: impl FnMut(u64),
) -> Result<Verified, Error> {
    let host = q.host();
    let tip = host.blocking(|store| Ok(wait(store.tip())?.position)).await?;
    let (from, upto, continued) = match part {
        Part::Range(from, _) if from > tip => {
            return Err(Error::invalid(
                "from",
                from,
                &format!("a position up to {tip}, which is the last one"),
            ));
        }
        // What is not there was not checked, and an answer must not read as if it were.
        Part::Range(_, Some(upto)) if upto > tip => {
            return Err(Error::invalid(
                "upto",
                upto,
                &format!("a position up to {tip}, which is the last one"),
            ));
        }
        Part::Range(from, upto) => (from, upto.unwrap_or(tip), None),
        Part::Since(text) => {
            let read = on_log(host, move |host| {
                host.transparency.continued(host.store.as_ref(), key.as_ref(), &text)
            });
            let continued = read.await?;
            (continued.signed.size.unwrap_or(tip).min(tip) + 1, tip, Some(continued))
        }
    };
    let mut at = host.blocking(move |store| wait(store.verify_from(from))).await?;
    let (first_group, first_position) = (at.group, at.position);
    let mut broken = None;
    while at.position < upto && broken.is_none() {
        let from = std::mem::take(&mut at);
        let step = host.blocking(move |store| wait(store.verify(from, VERIFY_PAGE))).await?;
        at = step.cursor;
        progress(at.group - first_group);
        // What is broken behind the part is not of it.
        broken = step.broken.filter(|_| at.position < upto || at.position == tip);
        if step.done {
            break;
        }
    }
    let refusal = refusal(q);
    let fits = continued
        .as_ref()
        .is_none_or(|c| c.signed.why.is_none() && c.own.as_ref().is_none_or(|own| own.why.is_none()));
    Ok(Verified {
        ok: broken.is_none() && fits,
        groups: at.group - first_group,
        records: at.position - first_position,
        pruned: Some(at.pruned.values().sum()).filter(|pruned| *pruned > 0),
        streams: at.streams.len() as u64,
        tip_hash: at.hash.to_string(),
        broken: broken.map(broken_view),
        opens: refusal.is_none(),
        refusal,
        part: Some(told(from, upto, continued.as_ref())),
        log: continued.as_ref().and_then(|continued| continued.own.clone()).map(check_view),
        log_unread: None,
        // That every record up to there is what was signed was only seen where all of them were read.
        checkpoint: continued
            .filter(|c| c.read_again || c.signed.why.is_some())
            .map(|c| check_view(c.signed)),
    })
}

fn told(from: Position, upto: Position, continued: Option<&Continued>) -> VerifiedPart {
    let (shows, leaves_open) = match continued {
        None => (
            format!(
                "each record from {from} to {upto} fits its hash and that of the record before it in its entity, and their \
                 commit groups follow each other without a gap"
            ),
            "whether what stands before it is as it was, and whether somebody rewrote the journal from there on and made its \
             hashes anew: only a checkpoint kept elsewhere shows that (since, or checkpoint)"
                .to_owned(),
        ),
        Some(continued) => {
            let own = match continued.own.as_ref().and_then(|own| own.size) {
                Some(size) => format!(", and are what the newest checkpoint of the log was signed over, up to {size}"),
                None => String::new(),
            };
            (
                format!("the log goes on from the checkpoint, and the records after it fit their hashes{own}"),
                match continued.read_again {
                    true => "who was asked and what they meant; only what is on record is checked".to_owned(),
                    false => format!(
                        "whether the records up to {} are still what they were: of them only the kept hashes were read; \
                         a verify with this checkpoint reads them",
                        from - 1
                    ),
                },
            )
        }
    };
    VerifiedPart { from, upto, shows, leaves_open }
}
