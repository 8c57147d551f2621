//! Programs that are found: the directory, which ones are alive, and the slot.

mod common;
use common::Dir;
use eventlog_source::programs::{
    Directory, Holder, Place, Presence, Processes, Program, Slot, Trouble, clean,
};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A directory of programs, in one that is removed at the end of the test.
fn directory(dir: &Dir) -> Arc<Directory> {
    let place = Place::below(dir.path(), "eventlog");
    place.make().expect("it can be made")
}

fn listen(directory: &Directory, file: &OsStr) -> UnixListener {
    let listener = UnixListener::bind(directory.path().join(file)).expect("a socket");
    listener.set_nonblocking(true).expect("a socket");
    listener
}

fn program(directory: &Arc<Directory>, name: &str) -> Program {
    let program = Program::named(directory, OsStr::new(name)).expect("it can be read");
    program.expect("a program")
}

#[test]
fn the_directory_is_made_for_its_user_alone() {
    let dir = Dir::new();
    let place = Place::below(dir.path(), "eventlog");
    assert!(place.find().expect("no error").is_none());
    for _ in 0..2 {
        let made = place.make().expect("it can be made");
        let about = fs::symlink_metadata(made.path()).expect("it is there");
        assert!(about.is_dir());
        assert_eq!(about.mode() & 0o7777, 0o700);
    }
    assert!(place.find().expect("no error").is_some());
}

#[test]
fn what_is_no_directory_of_ours_is_refused() {
    let dir = Dir::new();
    let made = Place::below(dir.path(), "real").make();
    drop(made.expect("it can be made"));
    let link = dir.path().join("link");
    symlink(dir.path().join("real"), &link).expect("a link");
    fs::write(dir.path().join("file"), "").expect("a file");
    for mode in [0o755, 0o770, 0o701] {
        let name = format!("mode-{mode:o}");
        fs::create_dir(dir.path().join(&name)).expect("a directory");
        set_mode(&dir.path().join(&name), mode);
    }
    let mut cases = vec![
        ("link", "links are not followed"),
        ("file", "is not a directory"),
        ("mode-755", "chmod 700"),
        ("mode-770", "its mode is 0770"),
        ("mode-701", "chmod 700"),
    ];
    if is_root() {
        let path = dir.path().join("foreign");
        fs::create_dir(&path).expect("a directory");
        set_mode(&path, 0o700);
        std::os::unix::fs::chown(&path, Some(65534), Some(65534)).expect("given away");
        cases.push(("foreign", "belongs to user 65534"));
    }
    for (name, advice) in cases {
        let place = Place::below(dir.path(), name);
        for error in [place.find().map(|_| ()), place.make().map(|_| ())] {
            let text = error.expect_err(name).to_string();
            let path = place.path();
            assert!(text.contains(&path.display().to_string()), "{text}");
            assert!(text.contains(advice), "{text}");
        }
    }
    // Its mode was not changed.
    let about = fs::metadata(dir.path().join("mode-755")).expect("it is there");
    assert_eq!(about.mode() & 0o7777, 0o755);
}

#[test]
fn a_directory_that_others_may_exchange_is_refused() {
    let dir = Dir::new();
    drop(directory(&dir));
    let place = Place::below(dir.path(), "eventlog");
    set_mode(dir.path(), 0o777);
    let error = place.find().expect_err("others may write there");
    assert!(matches!(error.trouble(), Trouble::Above(None)), "{error}");
    // As in /tmp: others may make files, but not change ours.
    set_mode(dir.path(), 0o1777);
    assert!(place.find().expect("no error").is_some());
    let nowhere = Place::below(dir.path().join("missing"), "eventlog");
    let error = nowhere.make().expect_err("there is nothing above");
    assert!(
        error.to_string().contains("unset XDG_RUNTIME_DIR"),
        "{error}"
    );
}

#[test]
fn sockets_are_programs_and_nothing_else_is() {
    let dir = Dir::new();
    let directory = directory(&dir);
    let odd: [&[u8]; 6] = [
        b"app-12",
        b"with blank",
        b"line\nfeed",
        b"\x1b[31m",
        b"not\xffutf8",
        b"a.relay",
    ];
    let named = |name: &[u8]| OsStr::from_bytes(&[name, b".sock"].concat()).to_owned();
    let listeners = odd.map(|name| listen(&directory, &named(name)));
    let others = ["app-12.relay", ".hidden.sock", ".sock", "x.socket"];
    let _others = others.map(|name| listen(&directory, OsStr::new(name)));
    fs::write(directory.path().join("file.sock"), "").expect("a file");
    fs::create_dir(directory.path().join("directory.sock")).expect("a directory");
    symlink("app-12.sock", directory.path().join("link.sock")).expect("a link");
    let programs = Program::all(&directory).expect("it can be read");
    let names: BTreeSet<&[u8]> = programs.iter().map(|it| it.name().as_bytes()).collect();
    assert_eq!(names, BTreeSet::from(odd));
    for program in &programs {
        assert!(matches!(program.presence(), Presence::Alive), "{program:?}");
        let by_path = Program::at(&directory, &program.socket()).expect("no error");
        assert_eq!(by_path.expect("a program").name(), program.name());
    }
    drop(listeners);
    for program in &programs {
        assert!(matches!(program.presence(), Presence::Dead), "{program:?}");
    }
    let elsewhere = dir.path().join("elsewhere.sock");
    let _elsewhere = UnixListener::bind(&elsewhere).expect("a socket");
    assert!(
        Program::at(&directory, &elsewhere)
            .expect("no error")
            .is_none()
    );
}

/// A connection takes the slot of a program, or waits for it: the check must not.
#[test]
fn to_ask_whether_a_program_lives_does_not_disturb_it() {
    let dir = Dir::new();
    let directory = directory(&dir);
    let listener = listen(&directory, OsStr::new("app.sock"));
    let app = program(&directory, "app");
    for _ in 0..1000 {
        assert!(matches!(app.presence(), Presence::Alive));
        assert!(Holder::of(&app).expect("no error").is_none());
    }
    let nobody = listener.accept().expect_err("nobody has connected");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    // Clients that wait for the slot are not disturbed either.
    let waiting: Vec<_> = std::iter::from_fn(|| app.connect().ok()).take(3).collect();
    assert!(matches!(app.presence(), Presence::Alive));
    drop(waiting);
    fs::remove_file(app.socket()).expect("it is there");
    assert!(matches!(app.presence(), Presence::Gone));
}

#[test]
fn the_process_behind_a_socket_is_known() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let dir = Dir::new();
    let directory = directory(&dir);
    let listener = listen(&directory, OsStr::new("a b.sock"));
    drop(listen(&directory, OsStr::new("dead.sock")));
    let (app, dead) = (program(&directory, "a b"), program(&directory, "dead"));
    let process = Processes::look().of(&app).expect("it is this one");
    assert_eq!(process.pid, std::process::id());
    assert_eq!(process.executable, std::env::current_exe().ok());
    assert!(!process.has_client);
    assert_eq!(Processes::look().of(&dead), None);
    let _client = app.connect().expect("it listens");
    let _accepted = listener.accept().expect("a client");
    let process = Processes::look().of(&app).expect("it is this one");
    assert!(process.has_client);
}

#[test]
fn the_slot_has_one_holder_who_is_named() {
    let dir = Dir::new();
    let directory = directory(&dir);
    let _listener = listen(&directory, OsStr::new("app.sock"));
    let app = program(&directory, "app");
    let slot = Slot::take(&app, "show")
        .expect("no error")
        .expect("it is free");
    assert!(Slot::take(&app, "record").expect("no error").is_none());
    let holder = Holder::of(&app).expect("no error").expect("a holder");
    assert_eq!(holder.pid, Some(std::process::id()));
    assert_eq!(holder.verb.as_deref(), Some("show"));
    // Files left by a holder that was killed do no harm.
    drop(slot);
    drop(UnixListener::bind(app.relay()).expect("a socket"));
    assert!(app.relay().exists());
    let slot = Slot::take(&app, "record")
        .expect("no error")
        .expect("it is free");
    assert!(!app.relay().exists());
    drop(UnixListener::bind(slot.relay()).expect("a socket"));
    drop(slot);
    let left = fs::read_dir(directory.path()).expect("it can be read");
    assert_eq!(left.count(), 1, "only the socket of the program");
    assert!(Holder::of(&app).expect("no error").is_none());
}

#[test]
fn those_who_want_the_slot_at_once_have_it_one_after_the_other() {
    let dir = Dir::new();
    let directory = directory(&dir);
    let _listener = listen(&directory, OsStr::new("app.sock"));
    let (holders, turns) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let app = program(&directory, "app");
                while turns.load(Ordering::SeqCst) < 100 {
                    let _ = Holder::of(&app).expect("no error");
                    let Some(_slot) = Slot::take(&app, "show").expect("no error") else {
                        continue;
                    };
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::yield_now();
                    assert_eq!(holders.fetch_sub(1, Ordering::SeqCst), 1);
                    turns.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
}

#[test]
fn only_what_is_dead_is_cleaned_away() {
    let dir = Dir::new();
    let directory = directory(&dir);
    let _alive = listen(&directory, OsStr::new("alive.sock"));
    drop(listen(&directory, OsStr::new("dead.sock")));
    drop(listen(&directory, OsStr::new("dead.relay")));
    fs::write(directory.path().join("dead.lock"), "1 show\n").expect("a file");
    drop(listen(&directory, OsStr::new("again.sock")));
    let again = program(&directory, "again");
    fs::rename(again.socket(), dir.path().join("before")).expect("it is there");
    let _again = listen(&directory, OsStr::new("again.sock"));
    assert!(!clean(&program(&directory, "alive")).expect("no error"));
    assert!(!clean(&again).expect("no error"), "another has its name");
    let dead = program(&directory, "dead");
    assert!(clean(&dead).expect("no error"));
    assert!(!clean(&dead).expect("no error"));
    let left = fs::read_dir(directory.path()).expect("it can be read");
    let left: BTreeSet<_> = left
        .map(|entry| entry.expect("a name").file_name())
        .collect();
    assert_eq!(
        left,
        BTreeSet::from(["alive.sock".into(), "again.sock".into()])
    );
}
