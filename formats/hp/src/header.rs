//! What the first lines say.

/// What the first lines of a file say. What has not come yet is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The program; one that was built with `-prof` tells its arguments, too, and behind `+RTS`
    /// those of the runtime system.
    pub job: String,
    /// When it was started, as the C library says it.
    pub date: String,
    /// What times are measured in: `seconds`.
    pub sample_unit: String,
    /// What values are measured in: `bytes`.
    pub value_unit: String,
}

impl Header {
    /// What the samples are broken down by, as the last letter of the flag: `c` for `-hc`. `None`
    /// if the job does not say so, as that of a program without `-prof`, of which it can only be
    /// `T`.
    pub fn breakdown(&self) -> Option<char> {
        let (_, flags) = self.job.rsplit_once(" +RTS")?;
        // More letters restrict it: -hm, for instance, to the modules that follow.
        let of = |flag: &str| match flag.strip_prefix("-h")?.as_bytes() {
            [] => Some('c'),
            [letter] if letter.is_ascii_alphabetic() => Some(char::from(*letter)),
            _ => None,
        };
        flags.split(' ').filter_map(of).next_back()
    }
}

/// The text between quotes, in which a quote is doubled. `None` if there is more or less than
/// that.
pub(crate) fn unquoted(quoted: &[u8]) -> Option<String> {
    let text = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let text = String::from_utf8_lossy(text);
    let bare = text.replace("\"\"", "");
    (!bare.contains('"')).then(|| text.replace("\"\"", "\""))
}

/// Text goes on in the next line as long as they are odd.
pub(crate) fn count_quotes(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'"').count()
}
