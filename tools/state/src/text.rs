//! Texts from a log, which may make them as long as it likes.

/// At most so many bytes of a text; what is cut ends in an ellipsis.
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
