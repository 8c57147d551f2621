//! The pages, as they are served: `web/index.html` and what is in `web/app`, in the program itself.

/// A file that everybody may have.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Its path in the address.
    pub(crate) path: &'static str,
    /// What it is.
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

/// All of them. The build makes the list.
const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The one at that path.
pub(crate) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}
