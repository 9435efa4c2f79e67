use std::time::Duration;

use super::*;

#[test]
fn numbers_are_read_as_strconv_reads_them() {
    assert_eq!(parse_int("42", 10), Ok(42));
    assert_eq!(parse_int("-9223372036854775808", 10), Ok(i64::MIN));
    assert_eq!(parse_int("7fffffffffffffff", 16), Ok(i64::MAX));
    assert_eq!(parse_int("694d5765fc71500b", 16), Ok(0x694d_5765_fc71_500b));
    assert_eq!(parse_uint("ffffffffffffffff", 16), Ok(u64::MAX));
    for (text, why) in
        [("10000000000000000", "value out of range"), ("-1", "invalid syntax"), ("", "invalid syntax")]
    {
        assert_eq!(parse_uint(text, 16), Err(format!("strconv.ParseUint: parsing \"{text}\": {why}")));
    }
    assert_eq!(parse_int("0x1F", 0), Ok(31));
    assert_eq!(parse_int("017", 0), Ok(15));
    assert_eq!(parse_int("1_000", 0), Ok(1000));
    assert_eq!(parse_int("0", 0), Ok(0));
    let refused = |text: &str, base, why: &str| {
        assert_eq!(parse_int(text, base), Err(format!("strconv.ParseInt: parsing \"{text}\": {why}")));
    };
    refused("", 10, "invalid syntax");
    refused("x", 0, "invalid syntax");
    refused("0x10", 16, "invalid syntax");
    refused("1_000", 10, "invalid syntax");
    refused("1__0", 0, "invalid syntax");
    refused("8000000000000000", 16, "value out of range");
    refused("99999999999999999999999999", 10, "value out of range");
    assert_eq!(parse_bool("T"), Ok(true));
    assert_eq!(parse_bool("yes"), Err("strconv.ParseBool: parsing \"yes\": invalid syntax".to_owned()));
}

#[test]
fn durations_go_both_ways() {
    let check = |text: &str, nanos: u64| {
        let span = Duration::from_nanos(nanos);
        assert_eq!(parse_duration(text), Ok(span), "{text}");
        assert_eq!(format_duration(span), text);
    };
    check("0s", 0);
    check("1ns", 1);
    check("1.5µs", 1_500);
    check("2.345678ms", 2_345_678);
    check("100ms", 100_000_000);
    check("1.000000001s", 1_000_000_001);
    check("1m0s", 60_000_000_000);
    check("1h1m1.5s", 3_661_500_000_000);
    assert_eq!(parse_duration("1.5h"), Ok(Duration::from_secs(5400)));
    assert_eq!(parse_duration("-3s"), Ok(Duration::ZERO));
    assert_eq!(parse_duration("5"), Err("time: missing unit in duration \"5\"".to_owned()));
    assert_eq!(parse_duration("5x"), Err("time: unknown unit \"x\" in duration \"5x\"".to_owned()));
    assert_eq!(parse_duration("abc"), Err("time: invalid duration \"abc\"".to_owned()));
    assert_eq!(parse_duration(""), Err("time: invalid duration \"\"".to_owned()));
}

#[test]
fn quoting_escapes_what_go_escapes() {
    let check = |bytes: &[u8], text: &str| assert_eq!(quote(bytes), text);
    check(b"foo", r#""foo""#);
    check(b"it's \"q\" \\", r#""it's \"q\" \\""#);
    check(b"\x00\x07\n\t\x7f", r#""\x00\a\n\t\x7f""#);
    check("grüße ☺".as_bytes(), "\"grüße ☺\"");
    check(b"\xff\xc3", r#""\xff\xc3""#);
    check("\u{a0}\u{200b}\u{feff}\u{e0001}".as_bytes(), r#""\u00a0\u200b\ufeff\U000e0001""#);
    check("e\u{301}".as_bytes(), "\"e\u{301}\"");
}

#[test]
fn unquoting_undoes_quoting_for_every_byte() {
    let all: Vec<u8> = (0..=255).collect();
    let line = quote(&all);
    let read = unquote(line.as_bytes()).unwrap();
    assert_eq!((read.value, read.rest), (all, &b""[..]));
}

#[test]
fn unquoting_takes_what_a_scan_takes() {
    let value = |line: &str| unquote(line.as_bytes()).map(|read| read.value);
    assert_eq!(value(r#"  "a\x41\101\u00e9" rest"#), Ok("aAAé".as_bytes().to_vec()));
    assert_eq!(value("`raw\\n`"), Ok(b"raw\\n".to_vec()));
    assert_eq!(unquote(br#""k") > "0""#).unwrap().rest, br#") > "0""#);
    assert_eq!(value("bare"), Err("expected quoted string"));
    assert_eq!(value("\"open"), Err("unexpected EOF"));
    assert_eq!(value(r#""\q""#), Err("invalid syntax"));
    assert_eq!(value(""), Err("unexpected EOF"));
}

#[test]
fn words_of_a_line() {
    let check = |line: &str, words: &[&str]| {
        let got = split_words(line.as_bytes()).unwrap();
        let want: Vec<Vec<u8>> = words.iter().map(|w| w.as_bytes().to_vec()).collect();
        assert_eq!(got, want, "{line}");
    };
    check("put key1 \"overwrote key1\"", &["put", "key1", "overwrote key1"]);
    check("put  a\t'single \"raw\" \\n'", &["put", "a", "single \"raw\" \\n"]);
    check("get \"tab\\tquote\\\"\" --prefix", &["get", "tab\tquote\"", "--prefix"]);
    check("put k v=\"a b\"", &["put", "k", "v=\"a", "b\""]);
    check("put k \"\"", &["put", "k", ""]);
    check("put k ''", &["put", "k", ""]);
    check("put \"open", &["put", "open"]);
    check("   ", &[]);
    assert_eq!(split_words(br#"put k "\q""#), Err("invalid syntax"));
}
