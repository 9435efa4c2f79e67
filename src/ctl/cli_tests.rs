use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let words = std::iter::once("etcdctl").chain(line.split_whitespace());
    command_line().try_get_matches_from(words).and_then(|matches| Cli::from_arg_matches(&matches))
}

fn refused(line: &str, want: &str) {
    assert_eq!(complaint("etcdctl", &parse(line).unwrap_err()), want, "{line}");
}

#[test]
fn the_definition_is_sound() {
    command_line().debug_assert();
}

#[test]
fn names_may_be_shortened_while_unique() {
    assert!(matches!(parse("compact 5").unwrap().command, Some(Command::Compaction(_))));
    assert!(matches!(
        parse("mem li").unwrap().command,
        Some(Command::Member(member::MemberCommand::List(_)))
    ));
    refused(
        "com 5",
        "unknown command \"com\" for \"etcdctl\"\n\nDid you mean this?\n\tcompaction\n\tcompletion\n",
    );
}

#[test]
fn flags_stand_anywhere_and_the_last_one_counts() {
    assert!(parse("-w json get --prefix a --limit 1 --limit=2 --prefix=false b -w simple").is_ok());
    assert!(parse("put key -- -1").is_ok());
    assert!(parse("get a --rev -1").is_ok());
    assert!(parse("get a --limit 0x10").is_ok());
}

#[test]
fn complaints_are_etcdctls() {
    refused("nonsense", "unknown command \"nonsense\" for \"etcdctl\"");
    let guess = complaint("etcdctl", &parse("watchh a").unwrap_err());
    assert!(
        guess.starts_with("unknown command \"watchh\"")
            && guess.contains(
                "
	watch
"
            ),
        "{guess}"
    );
    refused("get a --bogus", "unknown flag: --bogus");
    refused("get a -x", "unknown shorthand flag: 'x' in -x");
    refused("put a -1", "unknown shorthand flag: '1' in -1");
    refused(
        "get a --limit x",
        "invalid argument \"x\" for \"--limit\" flag: strconv.ParseInt: parsing \"x\": invalid syntax",
    );
    refused(
        "get a --prefix=x",
        "invalid argument \"x\" for \"--prefix\" flag: strconv.ParseBool: parsing \"x\": invalid syntax",
    );
    refused("get a --limit", "flag needs an argument: --limit");
    refused(
        "get a --command-timeout 5",
        "invalid argument \"5\" for \"--command-timeout\" flag: time: missing unit in duration \"5\"",
    );
}

#[test]
fn unbuilt_commands_take_anything_and_say_so() {
    for line in ["make-mirror a", "check perf"] {
        let Some(Command::Unbuilt(command)) = parse(line).unwrap().command else { panic!("{line}") };
        let exit = command.refuse();
        let name = line.split(' ').next().unwrap();
        assert_eq!(exit.code, 1);
        assert_eq!(exit.message.unwrap(), format!("etcdctl: {name} is not built yet"));
    }
}
