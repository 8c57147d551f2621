//! Shortens texts of a log, which can be of any length.

/// Cuts a text to `most` bytes; if it is cut, it ends in an ellipsis.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}
