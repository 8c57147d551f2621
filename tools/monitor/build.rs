//! Lists the files of the pages, to include each in the program: `web/index.html`, with links to all
//! modules, and all of `web/app`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

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
    let mut files = Vec::new();
    walk(&web.join("app"), "/app", &mut files);
    let index = Path::new(&out).join("index.html");
    let page = fs::read_to_string(web.join("index.html")).expect("the page can be read");
    fs::write(&index, preloading(&page, &files)).expect("the page can be written");
    let mut list = String::from("&[\n");
    add(&index, "/", &mut list);
    for (path, at) in files {
        add(&path, &at, &mut list);
    }
    list.push_str("]\n");
    fs::write(Path::new(&out).join("assets.rs"), list).expect("the list can be written");
}

/// The page with a link to each module: a browser loads them all at once, instead of one level of
/// imports after the other.
fn preloading(page: &str, files: &[(PathBuf, String)]) -> String {
    let (head, rest) = page.split_once("</head>").expect("the page has a head");
    let mut page = head.to_owned();
    for (_, at) in files.iter().filter(|(_, at)| at.ends_with(".js")) {
        let _ = writeln!(page, "<link rel=\"modulepreload\" href=\"{at}\">");
    }
    page + "</head>" + rest
}

fn walk(folder: &Path, at: &str, files: &mut Vec<(PathBuf, String)>) {
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
            true => walk(&path, &at, files),
            false => files.push((path, at)),
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
