//! Other users of the machine: what is theirs is not touched, what is ours they do not get,
//! and what they put into the environment of a program that has more rights is not read.

use crate::support;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::build::probe;
use support::files::copy_program;
use support::process::ending;
use support::recovery::recovered;
use support::skip::need;
use support::{Driver, Running, Stream, TempDir};

/// Nobody's, on every system; the tests need to be root to be two users.
const OTHER: u32 = 65534;

fn two_users() -> Result<(), &'static str> {
    // SAFETY: no pointers.
    match unsafe { libc::geteuid() } {
        0 => Ok(()),
        _ => Err("only root can be two users"),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// Give a file, a link or a directory to the other user.
#[track_caller]
fn give(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).expect("a plain path");
    // SAFETY: a string that ends in NUL.
    let given = unsafe { libc::lchown(path.as_ptr(), OTHER, OTHER) };
    assert_eq!(given, 0, "{}", std::io::Error::last_os_error());
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

/// Directories in which others may write, in each of the ways there are.
fn shared_directories(dir: &TempDir) -> Vec<PathBuf> {
    let kinds = [
        ("sticky", 0o1777, false),
        ("open", 0o777, false),
        ("theirs", 0o755, true),
    ];
    let make = |(name, mode, theirs): (&str, u32, bool)| {
        let path = dir.join(name);
        std::fs::create_dir(&path).expect("a directory");
        set_mode(&path, mode);
        if theirs {
            give(&path);
        }
        path
    };
    kinds.into_iter().map(make).collect()
}

/// What a start at this place says, in words.
#[track_caller]
fn refusal(driver: &mut Driver, path: &Path) -> String {
    let words = driver.command(&format!("init-why {}", path.display()));
    words.concat()
}

/// A program that runs with the rights of its file's owner, started by somebody else.
#[test]
fn the_environment_of_a_setuid_program_is_not_read() {
    need!(two_users());
    let dir = TempDir::new();
    let folder = dir.join("in");
    std::fs::create_dir(&folder).expect("a directory");
    set_mode(&folder, 0o777);
    let (socket, ring) = (folder.join("socket"), folder.join("ring"));
    for setuid in [false, true] {
        let program = dir.join("program");
        copy_program(&probe(), &program);
        set_mode(&program, if setuid { 0o4755 } else { 0o755 });
        let run = |arguments: &[&str], environment: &[(&str, &str)]| {
            let mut command = Command::new(&program);
            command.args(arguments).env_clear();
            command.envs(environment.iter().copied());
            command.uid(OTHER).gid(OTHER);
            let mut running = Running::spawn(command);
            let mut lines = Vec::new();
            while let Some(line) = running.line() {
                lines.push(line);
            }
            assert!(running.wait().success(), "{lines:?}");
            lines.join("\n")
        };
        let read = !setuid;
        for (address, named) in [
            (&[("GHC_EVENTLOG_UNIX_PATH", "named")][..], "unix 'named'"),
            (
                &[
                    ("GHC_EVENTLOG_INET_HOST", "named"),
                    ("GHC_EVENTLOG_INET_PORT", "1"),
                    ("GHC_EVENTLOG_WAIT", "1"),
                ],
                "inet 'named'",
            ),
        ] {
            let said = run(&["from-env"], address);
            assert_eq!(said.contains(named), read, "{said}");
            assert_eq!(said.contains("from_env: 3 "), !read, "{said}");
        }
        // What tunes a program that has an address of its own.
        for name in [
            "BUFFER_SIZE",
            "OVERFLOW",
            "EXIT_TIMEOUT",
            "FLUSH_INTERVAL",
            "STALL_TIMEOUT",
            "CONTROL",
            "SNDBUF",
            "RING_FILE_SIZE",
        ] {
            let name = format!("GHC_EVENTLOG_{name}");
            let said = run(&["init-unix", text(&socket)], &[(&name, "nonsense")]);
            assert_eq!(said.contains("init: 11 "), read, "{said}");
            assert_eq!(said.contains("init: 0 "), !read, "{said}");
        }
        let ring_file = [
            ("GHC_EVENTLOG_RING_FILE", text(&ring)),
            ("GHC_EVENTLOG_RING_FILE_SIZE", "1M"),
        ];
        let said = run(&["init-unix", text(&socket)], &ring_file);
        assert!(said.contains("init: 0 "), "{said}");
        assert_eq!(ring.exists(), read, "{said}");
        if read {
            std::fs::remove_file(&ring).expect("the ring file");
        }
    }
}

/// As `/tmp` is: everybody may make something there, and nobody may touch what is another's. The
/// directory in which the programs of a user are looked for is made there, and no other.
#[test]
fn where_programs_are_found_is_made_in_a_directory_for_everybody() {
    need!(two_users());
    let dir = TempDir::new();
    let program = dir.join("program");
    copy_program(&probe(), &program);
    for (name, mode) in [("sticky", 0o1777), ("open", 0o777), ("closed", 0o1755)] {
        let path = dir.join(name);
        std::fs::create_dir(&path).expect("a directory");
        set_mode(&path, mode);
    }
    let start = |socket: &Path| {
        let mut command = Command::new(&program);
        command.args(["init-unix", text(socket)]).env_clear();
        command.uid(OTHER).gid(OTHER);
        let mut running = Running::spawn(command);
        let mut said = Vec::new();
        while let Some(line) = running.line() {
            said.push(line);
        }
        assert!(running.wait().success(), "{said:?}");
        said.join("\n")
    };
    let own = dir.join("sticky/eventlog-65534");
    for _ in 0..2 {
        let said = start(&own.join("socket"));
        assert!(said.contains("init: 0 "), "{said}");
        let about = std::fs::symlink_metadata(&own).expect("it was made");
        assert_eq!((about.uid(), about.mode() & 0o7777), (OTHER, 0o700));
    }
    for refused in [
        "sticky/eventlog-1",
        "sticky/eventlog-065534",
        "sticky/eventlog-",
        "sticky/mine",
        "open/eventlog-65534",
        "closed/eventlog-65534",
    ] {
        let said = start(&dir.join(refused).join("socket"));
        assert!(!said.contains("init: 0 "), "{refused}: {said}");
        assert!(!dir.join(refused).exists(), "{refused}");
    }
}

/// Somebody puts a link in the place of the socket as soon as that is there.
#[test]
fn the_mode_of_another_file_is_not_changed() {
    let dir = TempDir::new();
    let victim = dir.join("victim");
    std::fs::write(&victim, "words").expect("a file");
    set_mode(&victim, 0o644);
    let mut driver = Driver::spawn(&[]);
    let path = driver.socket_path();
    driver.quietly(&format!(
        "exchange bind {} {}",
        path.display(),
        victim.display()
    ));
    let said = driver.try_to_listen();
    let mode = std::fs::metadata(&victim).expect("it").mode() & 0o777;
    assert_eq!(mode, 0o644, "{mode:o}");
    assert_ne!(said, "init: 0 0");
    assert!(path.is_symlink(), "what they put there is gone");
    std::fs::remove_file(&path).expect("the link");
    driver.listen();
    assert!(driver.finish().success());
    assert!(!path.exists());
}

/// Somebody exchanges the directory: at the end the socket that was made is removed, where
/// it is by then, and nothing in the other directory.
#[test]
fn a_directory_that_is_exchanged() {
    let mut driver = Driver::spawn(&[]);
    let (folder, moved) = (driver.dir.join("folder"), driver.dir.join("moved"));
    std::fs::create_dir(&folder).expect("a directory");
    let init = format!("init {}", folder.join("socket").display());
    assert_eq!(driver.command(&init), ["init: 0 0"]);
    driver.start_log();
    std::fs::rename(&folder, &moved).expect("another name");
    std::fs::create_dir(&folder).expect("a directory");
    // Looked for by its path, it is there.
    let exchanged = std::fs::hard_link(moved.join("socket"), folder.join("socket"));
    exchanged.expect("another name of the socket");
    assert!(driver.finish().success());
    assert!(folder.join("socket").exists(), "removed from another place");
    assert!(!moved.join("socket").exists(), "left where it was made");
}

/// The file is its owner's alone, and the owner may connect, whatever the umask leaves.
#[test]
fn every_umask_gives_the_same_mode() {
    for umask in ["0", "022", "077", "0777"] {
        let dir = TempDir::new();
        let path = dir.join("socket");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
        command.arg(probe());
        command.args(["init-unix", text(&path), "pause"]);
        let mut probe = Running::spawn(command);
        let said = probe.lines_until("paused").concat();
        assert!(said.starts_with("init: 0 0"), "{umask}: {said}");
        let mode = std::fs::metadata(&path).expect("the socket").mode();
        assert_eq!(mode & 0o777, 0o600, "{umask}: {mode:o}");
        probe.write_line("go on");
        assert!(probe.wait().success());
    }
}

/// Somebody puts a link to another socket in the place of one that a dead program left:
/// who listens at that one is not disturbed.
#[test]
fn nobody_else_is_asked_whether_they_live() {
    let dir = TempDir::new();
    let bystander = UnixListener::bind(dir.join("bystander")).expect("a listener");
    bystander.set_nonblocking(true).expect("an option");
    let mut driver = Driver::spawn(&[]);
    let path = driver.socket_path();
    drop(UnixListener::bind(&path).expect("a stale socket"));
    driver.quietly(&format!(
        "exchange connect {} {}",
        path.display(),
        dir.join("bystander").display()
    ));
    let in_use = format!("init: 10 {}", libc::EADDRINUSE);
    assert_eq!(driver.try_to_listen(), in_use);
    assert!(path.is_symlink(), "what they put there is gone");
    let disturbed = bystander.accept().is_ok();
    assert!(!disturbed, "somebody else had a visitor");
    std::fs::remove_file(&path).expect("the link");
    driver.listen();
    assert!(driver.finish().success());
}

/// Where others may write, the socket that another user has left is left to them.
#[test]
fn sockets_of_others_are_left_alone() {
    need!(two_users());
    let dir = TempDir::new();
    for folder in shared_directories(&dir) {
        let mut driver = Driver::spawn(&[]);
        let path = folder.join("socket");
        drop(UnixListener::bind(&path).expect("a stale socket"));
        give(&path);
        let inode = std::fs::symlink_metadata(&path).expect("it").ino();
        let init = format!("init {}", path.display());
        let in_use = format!("init: 10 {}", libc::EADDRINUSE);
        assert_eq!(driver.command(&init), [in_use], "{folder:?}");
        let why = refusal(&mut driver, &path);
        assert!(why.contains(text(&path)), "{why}");
        assert!(why.contains("another user"), "{why}");
        let now = std::fs::symlink_metadata(&path).expect("it").ino();
        assert_eq!(now, inode, "{folder:?}");
        std::fs::remove_file(&path).expect("their socket");
        // One of our own is replaced.
        drop(UnixListener::bind(&path).expect("a stale socket"));
        assert_eq!(driver.command(&init), ["init: 0 0"], "{folder:?}");
        assert!(driver.finish().success());
        assert!(!path.exists(), "{folder:?}: left");
    }
}

/// Where only we may write, it can only be one of a program that we ran as that user.
#[test]
fn sockets_in_a_directory_of_our_own_are_replaced() {
    need!(two_users());
    let mut driver = Driver::spawn(&[]);
    let path = driver.socket_path();
    drop(UnixListener::bind(&path).expect("a stale socket"));
    give(&path);
    driver.listen();
    assert!(driver.finish().success());
}

/// Errors of the socket name its file.
#[test]
fn errors_name_the_socket() {
    let dir = TempDir::new();
    let file = dir.join("file");
    std::fs::write(&file, "words").expect("a file");
    let lives = dir.join("lives");
    let _listener = UnixListener::bind(&lives).expect("a listener");
    let missing = PathBuf::from("/proc/missing/socket");
    for (path, words) in [
        (&file, "not a socket"),
        (&lives, "in use"),
        (&missing, "No such file"),
    ] {
        let mut driver = Driver::spawn(&[]);
        let why = refusal(&mut driver, path);
        assert!(why.contains(text(path)) && why.contains(words), "{why}");
    }
}

const SIZE: (&str, &str) = ("GHC_EVENTLOG_RING_FILE_SIZE", "1M");

fn for_ring(ring: &Path) -> Driver {
    Driver::spawn(&[("GHC_EVENTLOG_RING_FILE", text(ring)), SIZE])
}

/// A program that records into this file, and is killed.
fn crash(ring: &Path, message: &str) {
    let mut driver = for_ring(ring);
    assert_eq!(driver.command("init-none"), ["init: 0 0"]);
    driver.start_log();
    driver.quietly(&format!("chunk 0 text:{message}"));
    driver.process.signal(libc::SIGKILL);
    assert_eq!(ending(driver.process.wait()), "signal 9");
}

fn has(ring: &Path, message: &str) -> bool {
    Stream::complete(&recovered(ring).log).has_message(message)
}

/// Where others may write, nothing of theirs becomes a ring file of ours, or is replaced by
/// one: neither a file with nothing in it nor a ring file, at none of the three names.
#[test]
fn ring_files_of_others_are_left_alone() {
    need!(two_users());
    let dir = TempDir::new();
    for folder in shared_directories(&dir) {
        let ring = folder.join("ring");
        for name in ["ring.new", "ring", "ring.1"] {
            for empty in [true, false] {
                let case = format!("{folder:?}, {name}, empty: {empty}");
                let theirs = folder.join(name);
                if name == "ring.1" {
                    // It is replaced only if there is something to be kept.
                    crash(&ring, "before");
                }
                if empty {
                    std::fs::write(&theirs, "").expect("a file");
                } else {
                    let other = dir.join("other");
                    crash(&other, "theirs");
                    std::fs::copy(&other, &theirs).expect("a ring file");
                }
                set_mode(&theirs, 0o666);
                give(&theirs);
                let before = std::fs::metadata(&theirs).expect("it");
                let mut driver = for_ring(&ring);
                assert_eq!(driver.command("init-none"), ["init: 12 1"], "{case}");
                let socket = driver.socket_path();
                let why = refusal(&mut driver, &socket);
                assert!(why.contains(&format!("{}:", theirs.display())), "{why}");
                assert!(why.contains("another user"), "{case}: {why}");
                let now = std::fs::metadata(&theirs).expect("it");
                assert_eq!(
                    (before.ino(), before.len(), before.mode(), before.mtime()),
                    (now.ino(), now.len(), now.mode(), now.mtime()),
                    "{case}"
                );
                assert_eq!(now.uid(), OTHER, "{case}");
                let new = folder.join("ring.new");
                assert!(name == "ring.new" || !new.exists(), "{case}: left");
                for name in ["ring.new", "ring", "ring.1"] {
                    let _ = std::fs::remove_file(folder.join(name));
                }
            }
        }
        // All three are ours.
        crash(&ring, "first");
        crash(&ring, "second");
        std::fs::write(folder.join("ring.new"), "").expect("a file");
        crash(&ring, "third");
        assert!(has(&ring, "third") && has(&folder.join("ring.1"), "second"));
        let mode = std::fs::metadata(&ring).expect("it").mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    }
}

/// A file of ours under the first name that others may have open is not recorded into.
#[test]
fn a_file_that_others_may_have_open_is_not_used() {
    let dir = TempDir::new();
    let ring = dir.join("ring");
    let new = dir.join("ring.new");
    std::fs::write(&new, "").expect("a file");
    set_mode(&new, 0o666);
    let inode = std::fs::metadata(&new).expect("it").ino();
    let open = std::fs::File::open(&new).expect("their descriptor");
    crash(&ring, "first");
    assert_ne!(std::fs::metadata(&ring).expect("it").ino(), inode);
    assert_eq!(open.metadata().expect("it").len(), 0);
    assert!(has(&ring, "first"));
}

/// Links, pipes, sockets and directories in the place of a ring file are left alone, and
/// nothing is opened that could make the program wait.
#[test]
fn what_is_no_file_is_not_opened() {
    let dir = TempDir::new();
    let ring = dir.join("ring");
    let victim = dir.join("victim");
    std::fs::write(&victim, "").expect("a file");
    type Make<'a> = &'a dyn Fn(&Path);
    let kinds: [(&str, Make<'_>); 4] = [
        ("a link", &|path| symlink(&victim, path).expect("a link")),
        ("a pipe", &|path| {
            let path = CString::new(path.as_os_str().as_bytes()).expect("a plain path");
            // SAFETY: a string that ends in NUL.
            assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
        }),
        ("a socket", &|path| {
            drop(UnixListener::bind(path).expect("a socket"));
        }),
        ("a directory", &|path| {
            std::fs::create_dir(path).expect("a directory");
        }),
    ];
    for name in ["ring.new", "ring", "ring.1"] {
        for (kind, make) in kinds {
            if name == "ring.1" {
                crash(&ring, "before");
            }
            let path = dir.join(name);
            make(&path);
            let mut driver = for_ring(&ring);
            let said = driver.command("init-none");
            let exists = format!("init: 12 {}", libc::EEXIST);
            assert_eq!(said, [exists], "{kind} at {name}");
            assert!(path.symlink_metadata().is_ok(), "{kind} at {name}: gone");
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_dir(&path);
            let _ = std::fs::remove_file(&ring);
        }
    }
    assert_eq!(std::fs::metadata(&victim).expect("it").len(), 0);
}
