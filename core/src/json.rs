//! The little JSON that etcd's files and log entries have in them, read from anybody and written as Go writes it.
#![deny(clippy::indexing_slicing)]
use alloc::{string::String, vec::Vec};
use core::fmt::Write as _;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    String(String),
    Array(Vec<Value>),
    /// In the order written; a name may come twice.
    Object(Vec<(String, Value)>),
}

impl Value {
    pub fn as_u64(&self) -> Option<u64> {
        if let Value::Number(text) = self { text.parse().ok() } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(yes) = self { Some(*yes) } else { None }
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    pub fn as_array(&self) -> Option<&[Value]> {
        if let Value::Array(items) = self { Some(items) } else { None }
    }

    pub fn as_object(&self) -> Option<&[(String, Value)]> {
        if let Value::Object(fields) = self { Some(fields) } else { None }
    }

    /// A field of an object; the last of its name counts.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_object()?.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub fn as_strings(&self) -> Option<Vec<String>> {
        self.as_array()?.iter().map(|item| item.as_str().map(String::from)).collect()
    }
}

/// Nothing if it is no JSON, or has anything behind it.
pub fn parse(json: &[u8]) -> Option<Value> {
    let mut reader = Reader { rest: json };
    let value = reader.value(0)?;
    reader.blank();
    reader.rest.is_empty().then_some(value)
}

pub fn write_strings(items: &[String], out: &mut String) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_string(item, out);
    }
    out.push(']');
}

/// As Go's encoder quotes by default, HTML's special characters included.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a String grows as needed");
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

/// Nesting beyond this is in no file of etcd's.
const DEPTH_MAX: u32 = 32;

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn value(&mut self, depth: u32) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.blank();
        match self.rest.first()? {
            b'"' => self.text().map(Value::String),
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'n' => self.word(b"null").map(|()| Value::Null),
            b't' => self.word(b"true").map(|()| Value::Bool(true)),
            b'f' => self.word(b"false").map(|()| Value::Bool(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: u32) -> Option<Value> {
        self.token(b'{')?;
        let mut fields = Vec::new();
        if self.token(b'}').is_some() {
            return Some(Value::Object(fields));
        }
        loop {
            self.blank();
            let key = self.text()?;
            self.token(b':')?;
            fields.push((key, self.value(depth + 1)?));
            if self.token(b',').is_none() {
                self.token(b'}')?;
                return Some(Value::Object(fields));
            }
        }
    }

    fn array(&mut self, depth: u32) -> Option<Value> {
        self.token(b'[')?;
        let mut items = Vec::new();
        if self.token(b']').is_some() {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.token(b',').is_none() {
                self.token(b']')?;
                return Some(Value::Array(items));
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let is_part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest.iter().take_while(|b| is_part(b)).count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        let text = core::str::from_utf8(digits).ok().filter(|text| !text.is_empty())?;
        Some(Value::Number(text.into()))
    }

    fn text(&mut self) -> Option<String> {
        let mut bytes = self.rest.strip_prefix(b"\"")?;
        let mut out = Vec::new();
        loop {
            let (first, rest) = bytes.split_first()?;
            bytes = rest;
            match first {
                b'"' => break,
                b'\\' => {
                    let (escape, rest) = bytes.split_first()?;
                    bytes = rest;
                    let plain = match escape {
                        b'u' => {
                            let (c, rest) = unicode(bytes)?;
                            bytes = rest;
                            c
                        }
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'"' | b'\\' | b'/' => char::from(*escape),
                        _ => return None,
                    };
                    out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..0x20 => return None,
                other => out.push(*other),
            }
        }
        self.rest = bytes;
        String::from_utf8(out).ok()
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn token(&mut self, token: u8) -> Option<()> {
        self.blank();
        self.rest = self.rest.strip_prefix(&[token])?;
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }
}

/// The character behind `\u`; two such make one beyond the basic plane, and a lone half is replaced, as Go does.
fn unicode(bytes: &[u8]) -> Option<(char, &[u8])> {
    let half = |bytes: &[u8]| {
        let digits = core::str::from_utf8(bytes.get(..4)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let (high, rest) = (half(bytes)?, bytes.get(4..)?);
    if let 0xd800..0xdc00 = high
        && let Some(low @ 0xdc00..0xe000) = rest.strip_prefix(b"\\u").and_then(half)
    {
        let c = char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?;
        return Some((c, rest.get(6..)?));
    }
    Some((char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), rest))
}
