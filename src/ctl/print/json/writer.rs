//! Writes JSON byte by byte, so that order, omissions and escapes are Go's and not a library's.

use std::fmt::Display;

/// An object that is being written. Methods without "always" in their name leave out zero values.
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

/// Writes `{…}`.
pub fn object(out: &mut Vec<u8>, fields: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fields(&mut Object { out, is_empty: true });
    out.push(b'}');
}

/// Writes `[…]`.
pub fn array<T>(out: &mut Vec<u8>, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (place, value) in items.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        item(out, value);
    }
    out.push(b']');
}

pub fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

impl Object<'_> {
    /// A field whose value `value` writes.
    pub fn field(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        string(self.out, name);
        self.out.push(b':');
        value(self.out);
    }

    /// A number or truth value, zero or not.
    pub fn always(&mut self, name: &str, value: impl Display) {
        self.field(name, |out| out.extend_from_slice(value.to_string().as_bytes()));
    }

    pub fn always_text(&mut self, name: &str, value: &str) {
        self.field(name, |out| string(out, value));
    }

    pub fn number<N: Display + Default + PartialEq>(&mut self, name: &str, value: N) {
        if value != N::default() {
            self.always(name, value);
        }
    }

    pub fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.always(name, value);
        }
    }

    pub fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.always_text(name, value);
        }
    }

    pub fn texts(&mut self, name: &str, values: &[String]) {
        if !values.is_empty() {
            self.field(name, |out| array(out, values, |out, value| string(out, value)));
        }
    }

    pub fn bytes(&mut self, name: &str, value: &[u8]) {
        if !value.is_empty() {
            self.field(name, |out| base64(out, value));
        }
    }

    pub fn object(&mut self, name: &str, fields: impl FnOnce(&mut Object<'_>)) {
        self.field(name, |out| object(out, fields));
    }

    /// A list of objects.
    pub fn list<T>(&mut self, name: &str, items: &[T], fields: impl Fn(&mut Object<'_>, &T)) {
        if !items.is_empty() {
            self.field(name, |out| array(out, items, |out, item| object(out, |o| fields(o, item))));
        }
    }
}

/// A string with Go's escapes: those of JSON, and `<`, `>`, `&` and the two Unicode line ends, so that the text can
/// stand inside HTML and JavaScript.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\x08' => out.extend_from_slice(b"\\b"),
            '\x0c' => out.extend_from_slice(b"\\f"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Bytes as a string of base64 with padding.
pub fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..4 {
            let six = (bits >> (18 - 6 * place)) & 0x3f;
            out.push(if place <= chunk.len() { ALPHABET[six as usize] } else { b'=' });
        }
    }
    out.push(b'"');
}
