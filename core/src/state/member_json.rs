//! The JSON by which a membership change describes a member, inside `ConfChange.context`. Source: contract-api 6.
//!
//! Written to the byte as etcd's members write it, because they compare it; read leniently, because older ones wrote
//! more than is needed here.
use crate::{Member, MemberId};
use alloc::{string::String, vec::Vec};
use core::fmt::Write as _;

/// What a membership change says about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub member: Member,
    /// A learner becomes a voter; the URLs are then empty and stay as they are.
    pub is_promote: bool,
}

pub fn encode(described: &Described) -> Vec<u8> {
    let member = &described.member;
    let mut out = String::new();
    write!(out, "{{\"id\":{},\"peerURLs\":", member.id.0).expect("a String grows as needed");
    if described.is_promote {
        out.push_str("null");
    } else {
        strings(&member.peer_urls, &mut out);
    }
    if member.is_learner {
        out.push_str(",\"isLearner\":true");
    }
    if !member.name.is_empty() {
        out.push_str(",\"name\":");
        string(&member.name, &mut out);
    }
    if !member.client_urls.is_empty() {
        out.push_str(",\"clientURLs\":");
        strings(&member.client_urls, &mut out);
    }
    if described.is_promote {
        out.push_str(",\"isPromote\":true");
    }
    out.push('}');
    out.into_bytes()
}

/// Nothing if it is no such JSON.
pub fn decode(json: &[u8]) -> Option<Described> {
    let mut reader = Reader { rest: json };
    let mut member = Member {
        id: MemberId(0),
        name: String::new(),
        peer_urls: Vec::new(),
        client_urls: Vec::new(),
        is_learner: false,
    };
    let mut is_promote = false;
    reader.object(|key, value| {
        match (key, value) {
            ("id", Value::Number(id)) => member.id = MemberId(id),
            ("peerURLs", Value::Strings(urls)) => member.peer_urls = urls,
            ("isLearner", Value::Bool(yes)) => member.is_learner = yes,
            ("name", Value::String(name)) => member.name = name,
            ("clientURLs", Value::Strings(urls)) => member.client_urls = urls,
            ("isPromote", Value::Bool(yes)) => is_promote = yes,
            ("peerURLs" | "clientURLs" | "name", Value::Null) => {}
            ("id" | "peerURLs" | "isLearner" | "name" | "clientURLs" | "isPromote", _) => return None,
            _ => {}
        }
        Some(())
    })?;
    reader.blank();
    (reader.rest.is_empty() && member.id.0 != 0).then_some(Described { member, is_promote })
}

fn strings(items: &[String], out: &mut String) {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        string(item, out);
    }
    out.push(']');
}

/// As Go's encoder quotes by default, HTML's special characters included.
fn string(text: &str, out: &mut String) {
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

enum Value {
    Null,
    Bool(bool),
    Number(u64),
    String(String),
    Strings(Vec<String>),
    /// Well-formed, and nothing that is asked for here.
    Other,
}

/// Nesting beyond this is no description of a member.
const DEPTH_MAX: u32 = 16;

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn object(&mut self, mut field: impl FnMut(&str, Value) -> Option<()>) -> Option<()> {
        self.object_at(0, &mut field)
    }

    fn object_at(&mut self, depth: u32, field: &mut dyn FnMut(&str, Value) -> Option<()>) -> Option<()> {
        self.token(b'{')?;
        if self.token(b'}').is_some() {
            return Some(());
        }
        loop {
            self.blank();
            let key = self.text()?;
            self.token(b':')?;
            let value = self.value(depth + 1)?;
            field(&key, value)?;
            if self.token(b',').is_none() {
                return self.token(b'}');
            }
        }
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.blank();
        match self.rest.first()? {
            b'"' => self.text().map(Value::String),
            b'{' => self.object_at(depth, &mut |_, _| Some(())).map(|()| Value::Other),
            b'[' => self.array(depth),
            b'n' => self.word(b"null").map(|()| Value::Null),
            b't' => self.word(b"true").map(|()| Value::Bool(true)),
            b'f' => self.word(b"false").map(|()| Value::Bool(false)),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: u32) -> Option<Value> {
        self.token(b'[')?;
        let mut texts = Vec::new();
        let mut only_texts = true;
        if self.token(b']').is_some() {
            return Some(Value::Strings(texts));
        }
        loop {
            match self.value(depth + 1)? {
                Value::String(text) => texts.push(text),
                _ => only_texts = false,
            }
            if self.token(b',').is_none() {
                self.token(b']')?;
                return Some(if only_texts { Value::Strings(texts) } else { Value::Other });
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let is_part = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest.iter().take_while(|b| is_part(b)).count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        let text = core::str::from_utf8(digits).ok().filter(|text| !text.is_empty())?;
        Some(text.parse().map_or(Value::Other, Value::Number))
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

#[cfg(test)]
#[path = "member_json_tests.rs"]
mod tests;
