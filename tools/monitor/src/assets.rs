//! The files of the pages, `web/index.html` and `web/app`, included in the program.

/// A file that is served without a token.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Its path in the URL.
    pub(crate) path: &'static str,
    /// Its content type.
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

/// All files. The build script makes the list.
const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file at a path.
pub(crate) fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}
