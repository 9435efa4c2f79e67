//! How a line typed into `txn` or `watch -i` becomes words. This is etcdctl's own rule, looser than a shell's: quotes
//! count only at the start of a word, single quotes are raw, double quotes take Go escapes.

/// Splits a line. The error is the text for a double-quoted word whose escapes are wrong.
pub fn split_words(line: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut words = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.first() {
        match first {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => rest = &rest[1..],
            // A quote that is never closed is passed over, and what it opened are plain words.
            b'"' => match double_quoted_len(rest) {
                Some(len) => {
                    words.push(super::unquote(&rest[..len])?.value);
                    rest = &rest[len..];
                }
                None => rest = &rest[1..],
            },
            b'\'' => match rest[1..].iter().position(|b| *b == b'\'') {
                Some(len) => {
                    words.push(rest[1..=len].to_vec());
                    rest = &rest[len + 2..];
                }
                None => rest = &rest[1..],
            },
            _ => {
                let len = rest.iter().position(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c'));
                let (word, after) = rest.split_at(len.unwrap_or(rest.len()));
                words.push(word.to_vec());
                rest = after;
            }
        }
    }
    Ok(words)
}

/// Length of the double-quoted word at the front, quotes included.
fn double_quoted_len(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}
