//! Lists the files of the pages, to include each in the program: `web/index.html`, and all of
//! `web/app`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// The content type by file extension; files with other extensions are not part of the
/// pages.
const KINDS: [(&str, &str); 4] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
];

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets the path of the package");
    let out = std::env::var("OUT_DIR").expect("cargo sets the path to write to");
    let web = Path::new(&root).join("web");
    println!("cargo::rerun-if-changed=web/index.html");
    println!("cargo::rerun-if-changed=web/app");
    let mut list = String::from("&[\n");
    add(&web.join("index.html"), "/", &mut list);
    walk(&web.join("app"), "/app", &mut list);
    list.push_str("]\n");
    fs::write(Path::new(&out).join("assets.rs"), list).expect("the list can be written");
}

fn walk(folder: &Path, at: &str, list: &mut String) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let at = format!("{at}/{name}");
        match path.is_dir() {
            true => walk(&path, &at, list),
            false => add(&path, &at, list),
        }
    }
}

fn add(file: &Path, at: &str, list: &mut String) {
    let ending = file.extension().and_then(|it| it.to_str()).unwrap_or("");
    let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == ending) else {
        return;
    };
    let _ = writeln!(
        list,
        "Asset {{ path: {at:?}, content_type: {kind:?}, bytes: include_bytes!({file:?}) }},"
    );
}
