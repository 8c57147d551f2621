//! The header: the first lines of a file.

/// The contents of the first lines of a file. A field is empty until its line has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The program; if it was built with `-prof`, also its arguments, followed by those of the
    /// runtime system after `+RTS`.
    pub job: String,
    /// When it was started, as formatted by the C library.
    pub date: String,
    /// What times are measured in: `seconds`.
    pub sample_unit: String,
    /// What values are measured in: `bytes`.
    pub value_unit: String,
}

impl Header {
    /// What the samples are broken down by, as the last letter of the flag: `c` for `-hc`. `None`
    /// if the job does not say so: that of a program without `-prof`, which can only be `T`.
    pub fn breakdown(&self) -> Option<char> {
        let (_, flags) = self.job.rsplit_once(" +RTS")?;
        // More letters restrict the profile: -hm, for instance, to the modules that follow.
        let of = |flag: &str| match flag.strip_prefix("-h")?.as_bytes() {
            [] => Some('c'),
            [letter] if letter.is_ascii_alphabetic() => Some(char::from(*letter)),
            _ => None,
        };
        flags.split(' ').filter_map(of).next_back()
    }
}

/// The text between quotes, in which quotes are doubled. `None` if there is more or less than that.
pub(crate) fn unquoted(quoted: &[u8]) -> Option<String> {
    let text = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let text = String::from_utf8_lossy(text);
    let bare = text.replace("\"\"", "");
    (!bare.contains('"')).then(|| text.replace("\"\"", "\""))
}

/// Counts quotes. Text goes on in the next line as long as their number is odd.
pub(crate) fn count_quotes(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'"').count()
}
