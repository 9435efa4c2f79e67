use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn parse(line: &str) -> WatchArgs {
    let matches = relax(Line::command()).try_get_matches_from(words(line)).unwrap();
    Line::from_arg_matches(&matches).unwrap().args
}

/// The key words and the command that a command line and the environment's key and range end come to.
fn target(line: &str, key: &str, range_end: &str) -> Result<(String, String), Exit> {
    let given = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
    let fallback = Fallback { key: given(key), range_end: given(range_end) };
    let typed = words(line);
    let target = fallback.target(&parse(line), typed.iter().any(|word| word == "--"), typed.is_empty())?;
    let join = |words: Vec<OsString>| words.join(&OsString::from(" ")).into_string().unwrap();
    Ok((join(target.words), join(target.command)))
}

#[test]
fn keys_and_commands_are_told_apart() {
    let check = |line, key, end, words: &str, command: &str| {
        assert_eq!(target(line, key, end).unwrap(), (words.to_owned(), command.to_owned()), "{line}");
    };
    check("foo", "", "", "foo", "");
    check("foo bar --rev 1", "", "", "foo bar", "");
    check("foo --rev 1 bar -- echo hello", "", "", "foo bar", "echo hello");
    check("foo -- echo --rev 1", "", "", "foo", "echo --rev 1");
    check("-- echo hello", "foo", "", "foo", "echo hello");
    check("--prefix", "foo", "bar", "foo bar", "");
    check("-- echo hello", "", "", "", "echo hello");
}

#[test]
fn words_that_make_no_sense() {
    let check = |line, key, why: &str| {
        let exit = target(line, key, "").unwrap_err();
        assert_eq!((exit.code, exit.message.unwrap()), (128, format!("Error: bad number of arguments{why}")));
    };
    check("", "", "");
    check("foo --", "", " (found separator --, but no commands)");
    check("foo", "bar", " (found conflicting environment key)");
    check("foo -- echo", "bar", " (found conflicting environment key)");
}

#[test]
fn requests() {
    let request = |line| parse(line).request(&parse(line).words);
    let plain = request("foo").unwrap();
    assert_eq!((&plain.key[..], &plain.range_end[..], plain.start_revision), (&b"foo"[..], &b""[..], 0));
    let range = request("a b --rev 7 --prev-kv --progress-notify").unwrap();
    assert_eq!((&range.range_end[..], range.start_revision), (&b"b"[..], 7));
    assert!(range.prev_kv && range.progress_notify);
    assert_eq!(&request("--prefix foo").unwrap().range_end[..], b"fop");
    assert_eq!(&request("a b c").unwrap().range_end[..], b"");
    assert_eq!(request("--prefix a b").unwrap_err(), "`range_end` and `--prefix` are mutually exclusive");
    assert_eq!(request("").unwrap_err(), "bad number of arguments");
}

#[test]
fn interactive_lines() {
    let none = Fallback::default();
    let first = parse("-i --progress-notify");
    let line = |text: &str| parse_line(text.as_bytes(), &first, &none);
    assert!(matches!(line("progress"), Ok(Some(LineOrder::Progress))));
    let Ok(Some(LineOrder::Watch(request, command))) = line("watch \"a b\" --rev 3 -- echo x") else {
        panic!()
    };
    assert_eq!((&request.key[..], request.start_revision), (&b"a b"[..], 3));
    assert!(request.progress_notify);
    assert_eq!(command, words("echo x"));
    assert!(matches!(line("watch"), Ok(None)));
    assert!(matches!(line("get a"), Ok(None)));
    assert!(matches!(line(""), Ok(None)));
    assert!(matches!(line("watch --prefix a b"), Ok(None)));
    assert_eq!(line("watch a --bogus").err().unwrap().code, 128);
    assert_eq!(line("watch a --").err().unwrap().code, 128);
}
