//! The state of a relay in lines.

use super::watch::FullStatus;
use crate::columns;
use crate::printable::printable;
use crate::units::{Bytes, Nanos};
use eventlog_relay::{ClientStatus, SourceStatus, Status};
use std::collections::BTreeMap;

/// The shortest time over which rates are computed: over shorter ones they vary too much.
const SPAN_S: f64 = 0.9;

/// Formats one status after the other as lines.
#[derive(Debug, Default)]
pub struct View {
    /// When rates were computed last, and the bytes at that time.
    since: f64,
    before: BTreeMap<String, (u64, u64)>,
    rates: BTreeMap<String, f64>,
}

impl View {
    /// Lines that fit into this many rows and columns.
    pub fn lines(&mut self, status: &FullStatus, (rows, columns): (usize, usize)) -> Vec<String> {
        self.take_rates(&status.relay);
        let mut lines = self.all(status);
        if lines.len() > rows {
            let left_out = lines.len() - rows.saturating_sub(1);
            lines.truncate(rows.saturating_sub(1));
            lines.push(format!(
                "... {left_out} more lines: the window is too small"
            ));
        }
        lines.truncate(rows);
        let fit = |line: String| columns::cut(&line, columns).into_owned();
        lines.into_iter().map(fit).collect()
    }

    /// All lines, of any length.
    pub fn all(&self, status: &FullStatus) -> Vec<String> {
        let recordings = &status.recordings;
        let status = &status.relay;
        let mut lines = vec![summary(status)];
        let mut clients: BTreeMap<&str, Vec<&ClientStatus>> = BTreeMap::new();
        for client in &status.clients {
            clients.entry(&client.source).or_default().push(client);
        }
        for source in &status.sources {
            lines.push(self.source(source));
            let served = status.addresses.iter();
            for at in served.filter(|at| at.source == source.name) {
                let count = status.clients.iter();
                let count = count.filter(|client| client.address.as_ref() == Some(&at.address));
                let count = count.count();
                lines.push(format!(
                    "  {}: {}",
                    printable(&at.address),
                    clients_in_words(count)
                ));
            }
            let clients = clients.remove(source.name.as_str());
            let recordings = recordings.iter();
            let recordings = recordings.filter(|it| it.source == source.name);
            lines.extend(recordings.map(recording_line));
            lines.extend(clients.into_iter().flatten().map(client_line));
        }
        lines
    }

    fn take_rates(&mut self, status: &Status) {
        let span = status.uptime_s - self.since;
        if span < SPAN_S {
            return;
        }
        self.since = status.uptime_s;
        for source in &status.sources {
            let Some(session) = &source.session else {
                continue;
            };
            let now = (session.number, session.bytes);
            let before = self.before.insert(source.name.clone(), now);
            let begun = match before {
                Some((number, bytes)) if number == session.number => bytes,
                _ => 0,
            };
            let bytes = session.bytes.saturating_sub(begun) as f64;
            self.rates.insert(source.name.clone(), bytes / span);
        }
    }

    fn source(&self, source: &SourceStatus) -> String {
        let name = printable(&source.name);
        let Some(session) = &source.session else {
            let what = match source.over {
                true => "no log has come, and none will",
                false => "waits for a log",
            };
            return format!("{name}: {what}");
        };
        let mut line = format!("{name}: session {}", session.number);
        let mut add = |text: String| {
            line.push_str(", ");
            line.push_str(&text);
        };
        if session.ended || source.over {
            add("over".to_owned());
        } else if let Some(rate) = self.rates.get(&source.name) {
            add(format!("{}/s", Bytes(*rate as u64)));
        }
        add(Bytes(session.bytes).to_string());
        add(format!("until {}", Nanos(session.fold.at)));
        if session.fold.threads > 0 {
            add(format!("{} threads", session.fold.threads));
        }
        if session.fold.lag_bytes > 1 << 20 {
            add(format!("state {} behind", Bytes(session.fold.lag_bytes)));
        }
        if session.fold.missed_bytes > 0 || session.fold.failed {
            add("state incomplete".to_owned());
        }
        if session.faulty_bytes > 0 {
            add(format!("{} faulty", Bytes(session.faulty_bytes)));
        }
        line
    }
}

fn clients_in_words(count: usize) -> String {
    match count {
        0 => "no client".to_owned(),
        1 => "1 client".to_owned(),
        _ => format!("{count} clients"),
    }
}

fn summary(status: &Status) -> String {
    let up = Nanos((status.uptime_s * 1e9) as u64);
    let count = clients_in_words(status.clients.len());
    let mut line = format!(
        "relay: up {up}, {count} of {}, {} of memory",
        status.clients_total,
        Bytes(status.resident_bytes)
    );
    if status.clients_refused > 0 {
        line.push_str(&format!(", {} refused", status.clients_refused));
    }
    line
}

fn recording_line(recording: &eventlog_sessions::Status) -> String {
    let place = recording.directory.as_ref();
    let place = place.map_or_else(String::new, |place| format!(" in {}", place.display()));
    let place = printable(&place).into_owned();
    let size = Bytes(recording.bytes);
    let lost = match recording.lost.bytes {
        0 => String::new(),
        bytes => format!(", lost {} in {} gaps", Bytes(bytes), recording.lost.times),
    };
    let how = match &recording.failing {
        Some(error) => format!(", NOT RECORDED: {}", printable(error)),
        None if recording.ended => ", over".to_owned(),
        None => format!(", part {}", recording.part),
    };
    format!("  recorded{place}: {size}{lost}{how}")
}

fn client_line(client: &ClientStatus) -> String {
    let behind = match client.lag_bytes {
        0 => "up to date".to_owned(),
        bytes => format!("{} behind", Bytes(bytes)),
    };
    let waits = match client.session {
        Some(_) => "",
        None => ", waits for a log",
    };
    let missed = match client.missed_bytes {
        0 => String::new(),
        bytes => format!(", missed {} in {} gaps", Bytes(bytes), client.resyncs),
    };
    let number = client.client;
    format!(
        "    client {number}: got {}, {behind}{missed}{waits}",
        Bytes(client.bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of a relay, with as few fields as are needed.
    fn status(bytes: u64, uptime_s: f64) -> FullStatus {
        let mut status = Status::default();
        status.uptime_s = uptime_s;
        let mut source = SourceStatus::default();
        source.name = "a name that is longer than it has to be".to_owned();
        let mut session = eventlog_relay::SessionStatus::default();
        (session.number, session.bytes) = (3, bytes);
        source.session = Some(session);
        for number in 1..=20 {
            let mut client = ClientStatus::default();
            client.source = source.name.clone();
            (client.client, client.session) = (number, Some(3));
            (client.missed_bytes, client.resyncs) = (1 << 20, 2);
            status.clients.push(client);
        }
        status.sources.push(source);
        FullStatus {
            relay: status,
            recordings: Vec::new(),
        }
    }

    #[test]
    fn lines_fit_whatever_the_size() {
        for (rows, columns) in [(0, 0), (1, 1), (2, 10), (5, 40), (23, 79), (100, 200)] {
            let lines = View::default().lines(&status(1 << 30, 10.0), (rows, columns));
            assert!(lines.len() <= rows, "{lines:?}");
            assert!(
                lines.iter().all(|line| columns::width(line) <= columns),
                "{lines:?}"
            );
        }
        let lines = View::default().lines(&status(1 << 30, 10.0), (5, 79));
        assert_eq!(lines[4], "... 18 more lines: the window is too small");
        let all = View::default().all(&status(1 << 30, 10.0));
        assert_eq!(
            all[2],
            "    client 1: got 0 B, up to date, missed 1.00 MiB in 2 gaps"
        );
    }

    #[test]
    fn rates_are_of_the_time_since_the_last_ones() {
        let mut view = View::default();
        let mut rate = |bytes, at| view.lines(&status(bytes, at), (9, 99))[1].clone();
        assert!(rate(10 << 20, 1.0).contains(", 10.0 MiB/s, 10.0 MiB,"));
        // Too soon for another rate.
        assert!(rate(20 << 20, 1.5).contains(", 10.0 MiB/s, 20.0 MiB,"));
        assert!(rate(50 << 20, 3.0).contains(", 20.0 MiB/s, 50.0 MiB,"));
    }
}
