//! Go's quoted strings: what `%q` writes and reads. Input is bytes, because keys and values are.

use std::fmt::Write as _;

/// Writes `bytes` between double quotes. Printable characters stay, the rest become escapes; a byte that is no UTF-8
/// becomes `\xNN`.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut out, c);
        }
        for byte in chunk.invalid() {
            push_hex(&mut out, 'x', (*byte).into(), 2);
        }
    }
    out.push('"');
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '"' | '\\' => {
            out.push('\\');
            out.push(c);
        }
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ if is_printable(c) => out.push(c),
        _ if u32::from(c) < 0x80 => push_hex(out, 'x', c.into(), 2),
        _ if u32::from(c) < 0x1_0000 => push_hex(out, 'u', c.into(), 4),
        _ => push_hex(out, 'U', c.into(), 8),
    }
}

fn push_hex(out: &mut String, kind: char, value: u32, width: usize) {
    write!(out, "\\{kind}{value:0width$x}").expect("writing to a String cannot fail");
}

/// Whether Go's `strconv.IsPrint` holds. Rust's debug escaping knows the same Unicode categories, with one exception:
/// at the start of a string it also escapes combining characters, so the question is put behind a letter.
fn is_printable(c: char) -> bool {
    if c == '\'' {
        return true;
    }
    let mut probe = String::from("a");
    probe.push(c);
    probe.escape_debug().nth(1) == Some(c) && probe.escape_debug().count() == 2
}

/// A quoted string read from the front of a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Unquoted<'a> {
    /// What the quotes meant.
    pub value: Vec<u8>,
    /// What follows the closing quote.
    pub rest: &'a [u8],
}

/// Reads what `%q` reads in a scan: leading blanks, then a double-quoted string with escapes or a raw one in
/// backquotes. The error is Go's text.
pub fn unquote(line: &[u8]) -> Result<Unquoted<'_>, &'static str> {
    let start = line.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r')).ok_or("unexpected EOF")?;
    let body = &line[start + 1..];
    match line[start] {
        b'`' => {
            let end = body.iter().position(|b| *b == b'`').ok_or("unexpected EOF")?;
            let value = body[..end].iter().copied().filter(|b| *b != b'\r').collect();
            Ok(Unquoted { value, rest: &body[end + 1..] })
        }
        b'"' => {
            let end = closing_quote(body).ok_or("unexpected EOF")?;
            let value = unescape(&body[..end]).ok_or("invalid syntax")?;
            Ok(Unquoted { value, rest: &body[end + 1..] })
        }
        _ => Err("expected quoted string"),
    }
}

fn closing_quote(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match body.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at),
            _ => at += 1,
        }
    }
}

fn unescape(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'\n' {
            return None;
        }
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&kind, after) = rest.split_first()?;
        rest = after;
        match kind {
            b'a' => out.push(0x07),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(0x0b),
            b'\\' | b'"' => out.push(kind),
            b'x' => out.push(u8::try_from(take_number(&mut rest, 2, 16)?).ok()?),
            b'0'..=b'7' => {
                rest = &body[body.len() - rest.len() - 1..];
                out.push(u8::try_from(take_number(&mut rest, 3, 8)?).ok()?);
            }
            b'u' => push_char(&mut out, take_number(&mut rest, 4, 16)?)?,
            b'U' => push_char(&mut out, take_number(&mut rest, 8, 16)?)?,
            _ => return None,
        }
    }
    Some(out)
}

fn push_char(out: &mut Vec<u8>, value: u32) -> Option<()> {
    let c = char::from_u32(value)?;
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}

fn take_number(rest: &mut &[u8], width: usize, base: u32) -> Option<u32> {
    let digits = rest.get(..width)?;
    *rest = &rest[width..];
    let mut value: u32 = 0;
    for digit in digits {
        value = value.checked_mul(base)?.checked_add(char::from(*digit).to_digit(base)?)?;
    }
    Some(value)
}
