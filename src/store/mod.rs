//! stores
/// tmp
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// p
    pub path: Option<std::path::PathBuf>,
    /// c
    pub create: bool,
}
