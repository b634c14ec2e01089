//! The column of the table of operations that says who acts.

use serde_json::{Map, Value};

use crate::core::trust::identity::PartyKind;
use crate::core::trust::identity::check::Acting;

/// A field of a request that names who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acts {
    /// A voter.
    Voter(&'static str),
    /// An agent.
    Agent(&'static str),
    /// A worker.
    Worker(&'static str),
    /// Who is to hold the lease of a job.
    Holder(&'static str),
    /// A cell.
    Cell(&'static str),
    /// A party of whatever kind; the identity itself may always sign so.
    Any(&'static str),
    /// A fencing token: whoever gives it acts as the leader of the job.
    Leader(&'static str),
    /// A job: only its leader does this.
    Leads(&'static str),
}

impl Acts {
    /// The field.
    pub fn field(&self) -> &'static str {
        match self {
            Acts::Voter(field)
            | Acts::Agent(field)
            | Acts::Worker(field)
            | Acts::Holder(field)
            | Acts::Cell(field)
            | Acts::Any(field)
            | Acts::Leader(field)
            | Acts::Leads(field) => field,
        }
    }

    /// The kind of party; none where it may be any.
    pub fn kind(&self) -> Option<PartyKind> {
        match self {
            Acts::Voter(_) => Some(PartyKind::Voter),
            Acts::Agent(_) => Some(PartyKind::Agent),
            Acts::Worker(_) => Some(PartyKind::Worker),
            Acts::Holder(_) | Acts::Leader(_) | Acts::Leads(_) => Some(PartyKind::Holder),
            Acts::Cell(_) => Some(PartyKind::Cell),
            Acts::Any(_) => None,
        }
    }

    /// Who acts in a request with these fields, if somebody is named. What is not a text is no name, and is refused when
    /// the request is read.
    pub(super) fn named<'a>(
        &self,
        fields: &'a Map<String, Value>,
        leader: Option<&'a str>,
    ) -> Option<Acting<'a>> {
        let named = fields.get(self.field()).filter(|value| !value.is_null())?;
        let id = match self {
            Acts::Leader(_) | Acts::Leads(_) => leader,
            Acts::Any(_) => named.as_str().filter(|text| !text.is_empty()),
            Acts::Voter(_) | Acts::Agent(_) | Acts::Worker(_) | Acts::Holder(_) | Acts::Cell(_) => {
                named.as_str()
            }
        };
        id.map(|id| (self.kind(), id))
    }
}
