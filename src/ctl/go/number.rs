//! Whole numbers and truth values as Go's strconv reads them, with its error texts.

/// Reads a signed 64-bit number. `base` is 10 or 16 (no prefix allowed), or 0: the prefixes `0x`, `0o`, `0b` and `0`
/// choose the base and `_` may stand between digits. The error is the whole text Go gives.
pub fn parse_int(text: &str, base: u32) -> Result<i64, String> {
    let refuse =
        |why: &str| Err(format!("strconv.ParseInt: parsing {}: {why}", super::quote(text.as_bytes())));
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let Some(magnitude) = parse_magnitude(digits, base) else { return refuse("invalid syntax") };
    let limit = if negative { 1 << 63 } else { (1 << 63) - 1 };
    if magnitude > limit {
        return refuse("value out of range");
    }
    Ok(if negative { (magnitude as i64).wrapping_neg() } else { magnitude as i64 })
}

/// Reads an unsigned 64-bit number; otherwise as [`parse_int`].
pub fn parse_uint(text: &str, base: u32) -> Result<u64, String> {
    let refuse =
        |why: &str| Err(format!("strconv.ParseUint: parsing {}: {why}", super::quote(text.as_bytes())));
    match parse_magnitude(text, base) {
        None => refuse("invalid syntax"),
        Some(magnitude) => u64::try_from(magnitude).or_else(|_| refuse("value out of range")),
    }
}

/// Reads a truth value: `1 t T true TRUE True` and their opposites.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", super::quote(text.as_bytes()))),
    }
}

/// The digits' value, capped far above every number of 64 bits; `None` for anything that is no number.
fn parse_magnitude(digits: &str, base: u32) -> Option<u128> {
    let (base, digits, underscores) = if base == 0 { split_prefix(digits)? } else { (base, digits, false) };
    if digits.is_empty() {
        return None;
    }
    let mut value: u128 = 0;
    let mut after_digit = false;
    for c in digits.chars() {
        if c == '_' {
            if !underscores || !after_digit {
                return None;
            }
            after_digit = false;
            continue;
        }
        let digit = c.to_digit(base)?;
        value = value.saturating_mul(base.into()).saturating_add(digit.into());
        after_digit = true;
    }
    after_digit.then_some(value)
}

/// Base, digits without their prefix, and that `_` is allowed. A leading underscore after a prefix is legal in Go.
fn split_prefix(digits: &str) -> Option<(u32, &str, bool)> {
    let lower = digits.to_ascii_lowercase();
    let (base, skip) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, 2),
        [b'0', b'o', ..] => (8, 2),
        [b'0', b'b', ..] => (2, 2),
        [b'0', _, ..] => (8, 1),
        _ => (10, 0),
    };
    let rest = digits.get(skip..)?;
    Some((base, if skip > 0 { rest.strip_prefix('_').unwrap_or(rest) } else { rest }, true))
}
