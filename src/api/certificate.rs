//! Checking a certificate that somebody shows: without a store, and without believing anybody.

use serde_json::Value;

use super::json;
use super::session_plan::whole;
use crate::core::voting::session::certificate::Certificate;
use crate::error::{Error, ErrorKind};

/// Checks a certificate, as read from a file: without a store, and without believing anybody.
///
/// # Errors
/// `malformed_request` for a text that is no certificate, `integrity_violation` for one that does not hold.
pub fn check_certificate(text: &str) -> Result<Value, Error> {
    json::check(text)?;
    let certificate: Certificate = serde_json::from_str(text).map_err(|e| {
        Error::new(ErrorKind::MalformedRequest, format!("the text is not a certificate. cause={e}"))
    })?;
    let checked = certificate.check()?;
    let mut told = serde_json::json!({
        "valid": true,
        "session_id": certificate.session_id.as_str(),
        "outcome": certificate.outcome.name(),
        "decision": certificate.pick.name(),
        "signed_heads": checked.heads,
        "heads_needed": certificate.rule.heads,
        "n": certificate.rule.n,
        "signed_power": whole(checked.power),
        "total_power": whole(certificate.rule.power),
        "proposal": serde_json::from_str::<Value>(&certificate.terms.proposal).unwrap_or(Value::Null),
        "terms_hash": certificate.terms_hash.to_string(),
        "electorate_hash": certificate.electorate_hash.to_string(),
        "position": certificate.position.position,
    });
    if !checked.in_place_of.is_empty() {
        told["in_place_of"] = serde_json::json!(checked.in_place_of);
    }
    Ok(told)
}
