use std::ffi::OsString;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use super::*;
use crate::ctl::cli::relax;

#[derive(Parser)]
struct Bare {
    #[command(flatten)]
    globals: GlobalArgs,
}

/// Settles a command line against an environment, both written with blanks between the words.
fn settle(flags: &str, environment: &str) -> Result<Settings, Exit> {
    let words = std::iter::once("test").chain(flags.split_whitespace());
    let matches = relax(Bare::command()).try_get_matches_from(words).unwrap();
    let variables: Vec<(&str, &str)> =
        environment.split_whitespace().map(|pair| pair.split_once('=').unwrap()).collect();
    let lookup = |name: &str| {
        variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| OsString::from(value))
    };
    Bare::from_arg_matches(&matches).unwrap().globals.settle(&lookup)
}

fn refusal(flags: &str, environment: &str) -> (u8, String) {
    let exit = settle(flags, environment).unwrap_err();
    (exit.code, exit.message.unwrap())
}

#[test]
fn defaults_are_etcdctls() {
    let settings = settle("", "").unwrap();
    assert_eq!(settings.endpoints, ["127.0.0.1:2379"]);
    assert_eq!(settings.printer.format, Format::Simple);
    assert!(!settings.printer.hex);
    assert_eq!(settings.dial_timeout, Duration::from_secs(2));
    assert_eq!(settings.command_timeout, Duration::from_secs(5));
    assert_eq!((settings.request_limit, settings.response_limit), (2 << 20, i32::MAX as usize));
    assert_eq!(settings.identity, Identity::Nobody);
}

#[test]
fn endpoints_come_in_lists_and_repeatedly() {
    let endpoints = |flags, environment| settle(flags, environment).unwrap().endpoints;
    assert_eq!(endpoints("--endpoints a:1,b:2 --endpoints=c:3", ""), ["a:1", "b:2", "c:3"]);
    assert_eq!(endpoints("", "ETCDCTL_ENDPOINTS=a:1,b:2"), ["a:1", "b:2"]);
    assert_eq!(refusal("--endpoints=", "").0, 2);
}

#[test]
fn variables_stand_in_for_flags_but_never_against_them() {
    let settings =
        settle("--hex", "ETCDCTL_WRITE_OUT=json ETCDCTL_COMMAND_TIMEOUT=1m ETCDCTL_CLUSTER=true").unwrap();
    assert_eq!((settings.printer.format, settings.printer.hex), (Format::Json, true));
    assert_eq!(settings.command_timeout, Duration::from_secs(60));
    assert_eq!(settings.cluster, Some(true));
    let ignored = settle("", "ETCDCTL_COMMAND_TIMEOUT=soon ETCDCTL_HEX=yes").unwrap();
    assert_eq!((ignored.command_timeout, ignored.printer.hex), (Duration::from_secs(5), false));
    let (code, text) = refusal("-w json", "ETCDCTL_WRITE_OUT=json");
    assert_eq!(code, 1);
    assert!(text.contains("ETCDCTL_WRITE_OUT"), "{text}");
}

#[test]
fn users_have_passwords() {
    let identity = |flags, environment| settle(flags, environment).unwrap().identity;
    let root = |password: &str| Identity::User { name: "root".to_owned(), password: password.to_owned() };
    assert_eq!(identity("--user root:a:b", ""), root("a:b"));
    assert_eq!(identity("--user root --password pw", ""), root("pw"));
    assert_eq!(identity("", "ETCDCTL_USER=root:pw"), root("pw"));
    assert_eq!(identity("--user root --auth-jwt-token t", ""), Identity::Token("t".to_owned()));
    assert_eq!(identity("--user root:", ""), Identity::Nobody);
}

#[test]
fn bad_formats_and_unbuilt_transports_are_refused() {
    assert_eq!(refusal("-w yaml", ""), (4, "Error: unsupported output format".to_owned()));
    assert_eq!(refusal("--cert=", ""), (128, "Error: empty string is passed to --cert option".to_owned()));
    for flags in
        ["--cacert ca.pem", "--insecure-transport=false", "--insecure-skip-tls-verify", "-d example.org"]
    {
        let (code, text) = refusal(flags, "");
        assert_eq!(code, 1, "{flags}");
        assert!(text.starts_with("etcdctl: ") && text.ends_with(" is not built yet"), "{text}");
    }
    assert!(settle("--insecure-transport --insecure-discovery=false", "").is_ok());
}
