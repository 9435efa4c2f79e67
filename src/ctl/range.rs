//! Which keys a command means: one key, `[key, end)`, a prefix, or everything from a key on.

use bytes::Bytes;

use super::exit::Exit;

/// The end that stands for "no end".
const OPEN: &[u8] = b"\0";

/// A key with its `range_end`, ready for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpan {
    pub key: Bytes,
    /// Empty for a single key.
    pub end: Bytes,
}

impl KeySpan {
    /// What the words and the flags `--prefix` and `--from-key`, at most one of them set, mean together.
    pub fn chosen(key: Bytes, end: Option<Bytes>, prefix: bool, from_key: bool) -> Result<KeySpan, Exit> {
        if end.is_some() && (prefix || from_key) {
            return Err(Exit::bad_args(
                "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
            ));
        }
        Ok(if prefix {
            KeySpan::prefix(key)
        } else if from_key {
            KeySpan::from_key(key)
        } else {
            KeySpan::between(key, end)
        })
    }

    /// One key, or `[key, end)` if there is an end.
    pub fn between(key: Bytes, end: Option<Bytes>) -> KeySpan {
        KeySpan { key, end: end.unwrap_or_default() }
    }

    /// All keys that start with `prefix`; the empty prefix means all keys.
    pub fn prefix(prefix: Bytes) -> KeySpan {
        if prefix.is_empty() {
            return KeySpan::from_key(prefix);
        }
        let end = prefix_end(&prefix);
        KeySpan { key: prefix, end }
    }

    /// All keys not below `key`; the empty key means all keys.
    pub fn from_key(key: Bytes) -> KeySpan {
        let key = if key.is_empty() { Bytes::from_static(OPEN) } else { key };
        KeySpan { key, end: Bytes::from_static(OPEN) }
    }
}

/// The smallest key above every key that starts with `prefix`, or the open end if all its bytes are 0xff.
pub fn prefix_end(prefix: &[u8]) -> Bytes {
    match prefix.iter().rposition(|byte| *byte != 0xff) {
        Some(last) => {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            end.into()
        }
        None => Bytes::from_static(OPEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(span: KeySpan, key: &'static [u8], end: &'static [u8]) {
        assert_eq!((&span.key[..], &span.end[..]), (key, end));
    }

    fn bytes(text: &'static [u8]) -> Bytes {
        Bytes::from_static(text)
    }

    #[test]
    fn ends_of_ranges() {
        check(KeySpan::between(bytes(b"a"), None), b"a", b"");
        check(KeySpan::between(bytes(b"a"), Some(bytes(b"c"))), b"a", b"c");
        check(KeySpan::prefix(bytes(b"foo")), b"foo", b"fop");
        check(KeySpan::prefix(bytes(b"a\xff\xff")), b"a\xff\xff", b"b");
        check(KeySpan::prefix(bytes(b"\xff\xff")), b"\xff\xff", b"\0");
        check(KeySpan::prefix(bytes(b"")), b"\0", b"\0");
        check(KeySpan::from_key(bytes(b"b")), b"b", b"\0");
        check(KeySpan::from_key(bytes(b"")), b"\0", b"\0");
    }
}
