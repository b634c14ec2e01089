//! What a node is told at its start.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::disk::Disk;
use quorate_core::kernel::ids::{DatacenterId, NodeId};
use quorate_core::network::member::{Address, LocalNode, MemberConfig, NodeRole};
use quorate_runtime::error::Error;

/// The settings of a node.
///
/// ```
/// use quorate_core::network::member::NodeRole;
/// use quorate_node::NodeConfig;
///
/// let config = NodeConfig {
///     join: vec!["10.0.0.2:7946".into()],
///     ..NodeConfig::new(NodeRole::Manager, "paris", "/var/lib/quorate", ([10, 0, 0, 1], 7946).into(), "/etc/quorate/keys")
/// };
/// assert!(config.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    /// What it does.
    pub role: NodeRole,
    /// Where it stands: nodes of one datacenter are near each other.
    pub datacenter: String,
    /// Its folder; what the node keeps is in `node` below it. One process at a time.
    pub data: PathBuf,
    /// The UDP address it listens on. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where others reach it; the address it listens on when left out. Needed for `0.0.0.0` and `[::]`.
    pub advertise: Option<SocketAddr>,
    /// Nodes that are asked who is there, as `HOST:PORT`. A node without any waits to be found.
    pub join: Vec<String>,
    /// The key ring; see [`KeyRing`](super::KeyRing). It is read again when it changes.
    pub key_file: PathBuf,
    /// Its name, 1 to 128 bytes, which no other node has. One is made and kept in the folder when left out.
    pub name: Option<String>,
    /// The knobs of membership.
    pub members: MemberConfig,
}

impl NodeConfig {
    /// A node that joins nobody, with default knobs.
    pub fn new(
        role: NodeRole,
        datacenter: impl Into<String>,
        data: impl Into<PathBuf>,
        listen: SocketAddr,
        key_file: impl Into<PathBuf>,
    ) -> Self {
        NodeConfig {
            role,
            datacenter: datacenter.into(),
            data: data.into(),
            listen,
            advertise: None,
            join: Vec::new(),
            key_file: key_file.into(),
            name: None,
            members: MemberConfig::default(),
        }
    }

    /// Checks every setting that can be checked without looking at the machine.
    ///
    /// # Errors
    /// `invalid_argument` naming the first setting that does not fit, its value and what is allowed.
    pub fn check(&self) -> Result<(), Error> {
        self.datacenter_id()?;
        self.given_name()?;
        if self.advertise.is_none() && self.listen.ip().is_unspecified() {
            let expected = "an address that others can reach: listening on all addresses does not say which";
            return Err(Error::invalid("advertise", serde_json::Value::Null, expected));
        }
        if let Some(advertise) = self.advertise
            && (advertise.ip().is_unspecified() || advertise.port() == 0)
        {
            return Err(Error::invalid("advertise", advertise.to_string(), "ADDRESS:PORT of this node"));
        }
        for seed in &self.join {
            let port = seed.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
            if port.and_then(|port| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
                return Err(Error::invalid("join", seed.as_str(), "HOST:PORT, such as 10.0.0.2:7946"));
            }
        }
        self.members.check().map_err(|e| Error::invalid(e.field, e.given, e.expected))
    }

    fn datacenter_id(&self) -> Result<DatacenterId, Error> {
        let bad = |expected: &str| Error::invalid("datacenter", self.datacenter.as_str(), expected);
        let id = DatacenterId::new(self.datacenter.as_str()).map_err(|e| bad(&e.expected()))?;
        // The name of a worker and its datacenter are written with one.
        if id.as_str().len() > 128 || id.as_str().contains('@') {
            return Err(bad("1 to 128 bytes without @"));
        }
        Ok(id)
    }

    fn given_name(&self) -> Result<Option<NodeId>, Error> {
        let Some(name) = &self.name else { return Ok(None) };
        let bad = |expected: &str| Error::invalid("name", name.as_str(), expected);
        let id = NodeId::new(name.as_str()).map_err(|e| bad(&e.expected()))?;
        if id.as_str().len() > 128 { Err(bad("1 to 128 bytes")) } else { Ok(Some(id)) }
    }

    /// Who the node is, once it is known where it listens.
    pub(crate) fn local(&self, disk: &Disk, bound: SocketAddr) -> Result<LocalNode, Error> {
        let (id, datacenter) = (disk.name(self.given_name()?, self.role)?, self.datacenter_id()?);
        disk.place(self.role, &datacenter)?;
        let reached = self.advertise.unwrap_or(bound).to_string();
        let address =
            Address::new(reached.as_str()).map_err(|e| Error::invalid(e.field, e.given, e.expected))?;
        Ok(LocalNode { id, address, role: self.role, datacenter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_does_not_fit_is_named_with_what_is_allowed() {
        let good = NodeConfig::new(NodeRole::Gate, "dc1", "x", ([127, 0, 0, 1], 0).into(), "keys");
        let field = |config: NodeConfig| {
            config.check().unwrap_err().detail("field").and_then(|field| field.as_str().map(str::to_owned))
        };
        assert!(good.check().is_ok());
        assert_eq!(
            field(NodeConfig { datacenter: String::new(), ..good.clone() }).as_deref(),
            Some("datacenter")
        );
        assert_eq!(
            field(NodeConfig { datacenter: "a@b".into(), ..good.clone() }).as_deref(),
            Some("datacenter")
        );
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 7946));
        assert_eq!(field(NodeConfig { listen: everywhere, ..good.clone() }).as_deref(), Some("advertise"));
        let advertise = Some(everywhere);
        assert_eq!(field(NodeConfig { advertise, ..good.clone() }).as_deref(), Some("advertise"));
        for seed in ["host", "host:", ":7946", "host:0", "host:70000"] {
            let join = vec![seed.to_owned()];
            assert_eq!(field(NodeConfig { join, ..good.clone() }).as_deref(), Some("join"), "{seed}");
        }
        assert!(NodeConfig { join: vec!["[::1]:7946".into(), "h:1".into()], ..good.clone() }.check().is_ok());
        let name = Some("x".repeat(129));
        assert_eq!(field(NodeConfig { name, ..good }).as_deref(), Some("name"));
    }
}
