//! Clients of every kind.

use crate::chance::Chance;
use crate::support::commands::{BUILTIN, RTS, frame, older};
use crate::support::{Address, Client};
use std::io::ErrorKind;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Fast,
    Slow,
    /// Reads nothing for a while, now and then.
    Stalling,
    /// Says at once that it will send nothing.
    HalfClosing,
    /// Sends commands, and what is none.
    Talking,
    /// Reads nothing before it leaves; then, perhaps, some of what waits.
    Silent,
    /// Leaves silently, perhaps before it is served.
    Leaving,
}

/// Those that read to the end.
pub const PATIENT: [Kind; 5] = [
    Kind::Fast,
    Kind::Slow,
    Kind::Stalling,
    Kind::HalfClosing,
    Kind::Talking,
];

pub const EVERY_KIND: [Kind; 7] = [
    Kind::Fast,
    Kind::Slow,
    Kind::Stalling,
    Kind::HalfClosing,
    Kind::Talking,
    Kind::Silent,
    Kind::Leaving,
];

/// Something to send; whole commands, mostly.
fn words(chance: &mut Chance) -> Vec<u8> {
    let command = chance.below(24) as u8;
    match chance.below(6) {
        0 => frame(RTS, command),
        1 => frame(BUILTIN, command),
        2 => frame(b"nobody", command),
        3 => older(command),
        4 => b"not a command".to_vec(),
        _ => frame(RTS, command)[..chance.below(26) as usize].to_vec(),
    }
}

/// What a client of this kind does between two reads.
fn linger(kind: Kind, client: &mut Client, chance: &mut Chance) {
    match kind {
        Kind::Slow => sleep(Duration::from_millis(1 + chance.below(4))),
        Kind::Stalling if chance.once_in(40) => sleep(chance.millis(150)),
        Kind::Talking if chance.once_in(3) => {
            let some = 1 + chance.below(8);
            let words: Vec<u8> = (0..some).flat_map(|_| words(chance)).collect();
            // The program may have closed its end.
            let _ = client.sender().write_all(&words);
        }
        _ => {}
    }
}

/// Read to the end of the stream. Nothing is said any more once `over` is set: when the
/// program closes a TCP connection and has not read it all, the system throws the rest of
/// the stream away.
pub fn stay(
    mut client: Client,
    kind: Kind,
    chance: &mut Chance,
    over: &Mutex<bool>,
) -> Result<Vec<u8>, String> {
    if kind == Kind::HalfClosing {
        client.half_close();
    }
    loop {
        match client.read_some(Duration::from_secs(60)) {
            Ok(0) => return Ok(client.leave()),
            Ok(_) if kind == Kind::Talking => {
                // Held meanwhile: when it is set, all is said.
                let over = over.lock().expect("nobody panics meanwhile");
                if !*over {
                    linger(kind, &mut client, chance);
                }
            }
            Ok(_) => linger(kind, &mut client, chance),
            Err(error) => return Err(format!("after {} bytes: {error}", client.received.len())),
        }
    }
}

/// Take some of what waits for this client, without waiting for more.
fn take_some(client: &mut Client, chance: &mut Chance) {
    let some = chance.below(client.pending() as u64 + 1) as usize;
    while client.received.len() < some && client.pending() > 0 {
        // The program may have ended.
        if client.read_some(Duration::from_millis(1)).is_err() {
            return;
        }
    }
}

/// Come, stay for a moment, and leave, most likely in the middle of a chunk. What was
/// received; `None` if nobody listens any more.
pub fn visit(address: &Address, kind: Kind, most: u64, chance: &mut Chance) -> Option<Vec<u8>> {
    let mut client = Client::try_connect(address).ok()?;
    let until = Instant::now() + chance.millis(250);
    let enough = chance.below(most) as usize;
    match kind {
        Kind::HalfClosing => client.half_close(),
        Kind::Silent => {
            sleep(chance.millis(200));
            take_some(&mut client, chance);
            return Some(client.leave());
        }
        Kind::Leaving => {
            sleep(chance.millis(3));
            take_some(&mut client, chance);
            let received = std::mem::take(&mut client.received);
            client.reset();
            return Some(received);
        }
        _ => {}
    }
    while client.received.len() < enough && Instant::now() < until {
        match client.read_some(Duration::from_millis(20)) {
            Ok(0) => break,
            Ok(_) => linger(kind, &mut client, chance),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // The program has ended, and it had not read all that was sent to it.
            Err(_) => break,
        }
    }
    Some(client.leave())
}
