//! Dependencies point one way: no files use each other in a circle.
//!
//! A folder is looked at as a whole from outside, and file by file from inside: at each
//! level, the files and folders that lie side by side form no circle. What a folder's
//! `mod.rs` defines may be used by the files of the folder. Tests inside a file do not count.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The crates that are looked at, by their folders in the repository.
const CRATES: [&str; 14] = [
    "ffi",
    "formats/control",
    "formats/events",
    "formats/hp",
    "formats/ring-file",
    "tools/cli",
    "tools/export",
    "tools/metrics",
    "tools/monitor",
    "tools/relay",
    "tools/series",
    "tools/sessions",
    "tools/source",
    "tools/state",
];

/// A module by its path from the root of the crate, which itself is empty.
type Module = Vec<String>;

/// The sources of a crate: one for each module that has a file.
type Sources = BTreeMap<Module, String>;

/// What is said about other modules in one file.
#[derive(Debug, Default)]
struct File {
    /// Paths, from the root.
    used: Vec<Module>,
    /// The names that `use` brings into each module of the file, and what they stand for.
    imports: BTreeMap<String, Module>,
}

/// Collects what is used in a module, which may be an inline one of the file.
struct Reader<'a> {
    module: Module,
    is_module: &'a dyn Fn(&[String]) -> bool,
    file: &'a mut File,
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<TokenStream> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group.stream()),
        _ => None,
    }
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at = self.read_one(&tokens, at);
        }
    }

    /// Where to go on.
    fn read_one(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        if is_punct(tokens.get(at), '#')
            && let Some(attribute) = group(tokens.get(at + 1), Delimiter::Bracket)
            && attribute.to_string().replace(' ', "") == "cfg(test)"
        {
            return end_of_item(tokens, at + 2);
        }
        match &tokens[at] {
            TokenTree::Ident(name) if name == "use" => self.read_path(&[], tokens, at + 1, true),
            TokenTree::Ident(name) if name == "mod" => {
                let body = group(tokens.get(at + 2), Delimiter::Brace);
                if let (Some(name), Some(body)) = (ident(tokens.get(at + 1)), body) {
                    self.module.push(name);
                    self.read(body);
                    self.module.pop();
                    return at + 3;
                }
                at + 1
            }
            TokenTree::Ident(_) => self.read_path(&[], tokens, at, false),
            TokenTree::Group(inner) => {
                self.read(inner.stream());
                at + 1
            }
            _ => at + 1,
        }
    }

    /// A path, or a tree of them, that begins at `at` and goes on from `prefix`.
    fn read_path(
        &mut self,
        prefix: &[String],
        tokens: &[TokenTree],
        at: usize,
        imported: bool,
    ) -> usize {
        let (mut path, mut at) = (prefix.to_vec(), at);
        while let Some(name) = ident(tokens.get(at)) {
            path.push(name);
            at += 1;
            if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
                break;
            }
            at += 2;
            if let Some(tree) = group(tokens.get(at), Delimiter::Brace) {
                let tree: Vec<TokenTree> = tree.into_iter().collect();
                for branch in tree.split(|token| is_punct(Some(token), ',')) {
                    self.read_path(&path, branch, 0, imported);
                }
                return at + 1;
            }
        }
        let alias = ident(tokens.get(at)).filter(|word| imported && word == "as");
        let name = match alias {
            Some(_) => ident(tokens.get(at + 1)),
            None => path.last().cloned(),
        };
        self.note(&path, name.filter(|_| imported));
        at
    }

    fn note(&mut self, path: &[String], import: Option<String>) {
        let (start, rest) = match path.first().map(String::as_str) {
            Some("crate") => (Module::new(), &path[1..]),
            Some("self") => (self.module.clone(), &path[1..]),
            Some("super") => {
                let ups = path.iter().take_while(|word| *word == "super").count();
                let kept = self.module.len().saturating_sub(ups);
                (self.module[..kept].to_vec(), &path[ups..])
            }
            // A child by its name alone.
            Some(child) => {
                let child = [&self.module[..], &[child.to_owned()]].concat();
                if !(self.is_module)(&child) {
                    return;
                }
                (self.module.clone(), path)
            }
            None => return,
        };
        let full = [&start[..], rest].concat();
        if let Some(name) = import {
            self.file.imports.insert(name, full.clone());
        }
        self.file.used.push(full);
    }
}

/// Behind the item that begins at `at`.
fn end_of_item(tokens: &[TokenTree], at: usize) -> usize {
    let ends = |token: &TokenTree| {
        is_punct(Some(token), ';') || group(Some(token), Delimiter::Brace).is_some()
    };
    let length = tokens[at.min(tokens.len())..].iter().position(ends);
    length.map_or(tokens.len(), |length| at + length + 1)
}

/// The file of the crate in which what a path names is found, through what others import.
fn file_of(files: &BTreeMap<Module, File>, path: &[String], depth: usize) -> Module {
    let mut module = Module::new();
    for (at, name) in path.iter().enumerate() {
        module.push(name.clone());
        if files.contains_key(&module) {
            continue;
        }
        module.pop();
        if let Some(import) = files[&module].imports.get(name)
            && depth < 16
        {
            let further = [&import[..], &path[at + 1..]].concat();
            return file_of(files, &further, depth + 1);
        }
        break;
    }
    module
}

/// Who uses whom, of those side by side in the folder of a module.
type Uses = BTreeMap<Module, BTreeMap<String, BTreeSet<String>>>;

fn uses(sources: &Sources) -> Uses {
    let is_module = |path: &[String]| sources.contains_key(path);
    let files: BTreeMap<Module, File> = sources
        .iter()
        .map(|(module, source)| {
            let mut file = File::default();
            let tokens = source.parse();
            let tokens: TokenStream = tokens.unwrap_or_else(|error| panic!("{module:?}: {error}"));
            let mut reader = Reader {
                module: module.clone(),
                is_module: &is_module,
                file: &mut file,
            };
            reader.read(tokens);
            (module.clone(), file)
        })
        .collect();
    let mut uses = Uses::new();
    for (user, file) in &files {
        for path in &file.used {
            let used = file_of(&files, path, 0);
            let shared = user.iter().zip(&used).take_while(|(a, b)| a == b).count();
            // One of them is the folder of the other.
            if let (Some(from), Some(to)) = (user.get(shared), used.get(shared)) {
                let level = uses.entry(user[..shared].to_vec()).or_default();
                level.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    uses
}

/// All that can be reached from one.
fn reached(from: &str, uses: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(name) = left.pop() {
        for next in uses.get(name).into_iter().flatten() {
            if reached.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    reached
}

/// Those that use each other, directly or through others.
fn circles(sources: &Sources) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (folder, uses) in uses(sources) {
        let reached: BTreeMap<&String, _> = uses
            .keys()
            .map(|name| (name, reached(name, &uses)))
            .collect();
        for (name, forth) in &reached {
            let back = |other: &&String| reached.get(other).is_some_and(|r| r.contains(*name));
            let circle: Vec<&str> = forth.iter().filter(back).map(String::as_str).collect();
            if !circle.is_empty() {
                found.insert(format!("{}: {}", folder.join("/"), circle.join(", ")));
            }
        }
    }
    found
}

/// All modules of a folder, which is that of `module`.
fn read_folder(folder: &Path, module: &Module, sources: &mut Sources) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.expect("a file").path();
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let of_folder = matches!(&*stem, "mod" | "lib" | "main");
        let mut child = module.clone();
        if !of_folder {
            child.push(stem.into_owned());
        }
        if path.is_dir() {
            read_folder(&path, &child, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source");
            sources.entry(child).or_default().push_str(&source);
        }
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for name in CRATES {
        let mut sources = Sources::new();
        read_folder(
            &repository.join(name).join("src"),
            &Module::new(),
            &mut sources,
        );
        assert!(sources.len() > 3, "{name}: {:?}", sources.keys());
        found.extend(
            circles(&sources)
                .iter()
                .map(|found| format!("{name} {found}")),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The check above can fail, and does not where it need not.
#[test]
fn circles_are_found() {
    let of = |files: &[(&str, &str)]| {
        let split = |name: &str| {
            name.split('/')
                .filter(|part| !part.is_empty())
                .map(String::from)
                .collect()
        };
        let sources = files
            .iter()
            .map(|(name, source)| (split(name), (*source).to_owned()));
        circles(&sources.collect()).into_iter().collect::<Vec<_>>()
    };
    let root = ("", "mod a; mod b; mod c; pub use b::Thing;");
    // By a plain import; by a group; by a path in code, and in the arguments of a macro.
    for back in [
        "use crate::a::A;",
        "use crate::{a, c};",
        "fn f() { super::a::g(1) }",
        "fn f() { format!(\"{}\", crate::a::X); }",
    ] {
        assert_eq!(
            of(&[root, ("a", "use crate::b::B;"), ("b", back), ("c", "")]),
            [": a, b"]
        );
    }
    // Through a third, and through what the root has from another file.
    let three = [
        root,
        ("a", "use crate::Thing;"),
        ("b", "use crate::c;"),
        ("c", "use crate::a;"),
    ];
    assert_eq!(of(&three), [": a, b, c"]);
    // Of folders, by files of theirs that do not use each other; and inside one.
    let folders = [
        ("", "mod a; mod b;"),
        ("a", "mod x; mod y; pub use y::Y;"),
        ("a/x", "use crate::b;"),
        ("a/y", ""),
        ("b", "use crate::a::Y;"),
    ];
    assert_eq!(of(&folders), [": a, b"]);
    let inside = [
        ("", "mod a;"),
        ("a", "mod x; mod y;"),
        ("a/x", "use super::y;"),
        ("a/y", "use super::x;"),
    ];
    assert_eq!(of(&inside), ["a: x, y"]);
    // Tests may, a file may use its folder, and words are no paths.
    let test = "#[cfg(test)] mod tests { use crate::a; }  // use crate::a;\n const A: &str = \"crate::a\";";
    assert!(of(&[root, ("a", "use crate::b::B;"), ("b", test), ("c", "")]).is_empty());
    let child = [
        ("", "mod a;"),
        ("a", "mod x; use x::X; struct A;"),
        ("a/x", "use super::A;"),
    ];
    assert!(of(&child).is_empty());
}
