//! The command line and the environment, by the rules of Go's flag package, which etcd's users know: one or two
//! dashes, `--name=value` or `--name value`, switches only with `=`. Source: contract-cli 1 and 3.
use crate::ctl::go::{parse_duration, parse_uint, quote};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

/// One flag, as the table in `config` lists them.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    pub name: &'static str,
    pub kind: Kind,
    pub default: &'static str,
    pub help: &'static str,
}

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text,
    Switch,
    Unsigned,
    /// Of 32 bits.
    Small,
    Signed,
    Duration,
    /// URLs with commas between.
    Urls,
    /// As `Urls`, or this word.
    UrlsOr(&'static str),
    /// Words with commas between.
    Words,
    OneOf(&'static [&'static str]),
}

/// Why the command line cannot be used: Go's line, to be followed by the usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// `-h` or `--help`.
    Help,
    Line(String),
}

/// The flag was given on the command line and in the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadowed {
    pub variable: String,
}

impl fmt::Display for Shadowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "conflicting environment variable is shadowed by corresponding command-line flag \
             (either unset environment variable or disable flag))",
        )
    }
}

/// The values that were given, each checked against its kind.
#[derive(Debug)]
pub struct Values {
    table: &'static [Flag],
    given: BTreeMap<&'static str, String>,
    /// What stood behind the flags.
    pub rest: Vec<String>,
}

impl Values {
    pub fn parse(table: &'static [Flag], args: &[String]) -> Result<Values, Misuse> {
        let mut values = Values { table, given: BTreeMap::new(), rest: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let Some(name) = arg.strip_prefix('-').filter(|name| !name.is_empty()) else {
                values.rest.push(arg.clone());
                break;
            };
            let name = name.strip_prefix('-').unwrap_or(name);
            if name.is_empty() {
                // Two dashes alone end the flags.
                break;
            }
            if name.starts_with(['-', '=']) {
                return Err(Misuse::Line(format!("bad flag syntax: {arg}")));
            }
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (name, None),
            };
            let Some(flag) = table.iter().find(|flag| flag.name == name) else {
                if matches!(name, "h" | "help") {
                    return Err(Misuse::Help);
                }
                return Err(Misuse::Line(format!("flag provided but not defined: -{name}")));
            };
            let value = match (flag.kind, value) {
                (_, Some(value)) => value,
                (Kind::Switch, None) => "true".to_string(),
                (_, None) => args
                    .next()
                    .cloned()
                    .ok_or_else(|| Misuse::Line(format!("flag needs an argument: -{name}")))?,
            };
            check(flag, &value).map_err(|why| {
                Misuse::Line(match flag.kind {
                    Kind::Switch => format!("invalid boolean value {value:?} for -{name}: {why}"),
                    _ => format!("invalid value {value:?} for flag -{name}: {why}"),
                })
            })?;
            values.given.insert(flag.name, value);
        }
        values.rest.extend(args.cloned());
        Ok(values)
    }

    /// Takes what the environment says about flags that the command line left open. What was used comes back.
    pub fn add_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Environment, EnvironmentTrouble> {
        let mut seen = Environment::default();
        for (variable, value) in environment {
            let Some(name) = variable.strip_prefix("ETCD_") else { continue };
            let flag = self.table.iter().find(|flag| flag.name.to_uppercase().replace('-', "_") == name);
            match flag {
                _ if value.is_empty() => {}
                None => seen.unknown.push(variable),
                // A version is asked for, never set; container images are known to set it.
                Some(flag) if flag.name == "version" => seen.unknown.push(variable),
                Some(flag) if self.given.contains_key(flag.name) => {
                    return Err(EnvironmentTrouble::Shadowed(Shadowed { variable }));
                }
                Some(flag) => {
                    check(flag, &value).map_err(|why| {
                        EnvironmentTrouble::Value(format!("invalid value {value:?} for {variable}: {why}"))
                    })?;
                    self.given.insert(flag.name, value.clone());
                    seen.used.push((variable, value));
                }
            }
        }
        Ok(seen)
    }

    pub fn is_set(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    pub fn text(&self, name: &str) -> &str {
        let default = || {
            let flag = self.table.iter().find(|flag| flag.name == name);
            flag.expect("only names of the table are asked for").default
        };
        self.given.get(name).map_or_else(default, String::as_str)
    }

    pub fn switch(&self, name: &str) -> bool {
        boolean(self.text(name)).expect("a switch's value was checked when it was read")
    }

    pub fn unsigned(&self, name: &str) -> u64 {
        self.text(name).parse().expect("a number's value was checked when it was read")
    }

    pub fn small(&self, name: &str) -> u32 {
        small(self.text(name)).expect("a number's value was checked when it was read")
    }

    /// What is negative counts as zero.
    pub fn duration(&self, name: &str) -> Duration {
        parse_duration(self.text(name)).expect("a duration was checked when it was read")
    }

    pub fn signed(&self, name: &str) -> i64 {
        self.text(name).parse().expect("a number's value was checked when it was read")
    }

    /// Of `UrlsOr` and `Words`: sorted and without repetition.
    pub fn words(&self, name: &str) -> Vec<String> {
        let words = self.text(name).split(',').map(str::trim).filter(|word| !word.is_empty());
        let words: BTreeSet<String> = words.map(str::to_string).collect();
        words.into_iter().collect()
    }

    /// Sorted and without repetition, as etcd keeps them.
    pub fn urls(&self, name: &str) -> Vec<String> {
        super::urls::parse(self.text(name)).expect("URLs were checked when they were read")
    }
}

/// What the environment held for us.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Environment {
    pub used: Vec<(String, String)>,
    pub unknown: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum EnvironmentTrouble {
    Shadowed(Shadowed),
    Value(String),
}

fn check(flag: &Flag, value: &str) -> Result<(), String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let number = |error: std::num::ParseIntError| match error.kind() {
        PosOverflow | NegOverflow => "value out of range".to_string(),
        _ => "parse error".to_string(),
    };
    match flag.kind {
        Kind::Text | Kind::Words => Ok(()),
        Kind::UrlsOr(word) if value == word => Ok(()),
        Kind::Switch => boolean(value).map(|_| ()).ok_or_else(|| "parse error".to_string()),
        Kind::Unsigned => value.parse::<u64>().map(|_| ()).map_err(number),
        Kind::Small => small(value).map(|_| ()),
        Kind::Duration => parse_duration(value).map(|_| ()).map_err(|_| "parse error".to_string()),
        Kind::Signed => value.parse::<i64>().map(|_| ()).map_err(number),
        Kind::Urls | Kind::UrlsOr(_) => super::urls::parse(value).map(|_| ()),
        Kind::OneOf(choices) => match choices.contains(&value) {
            true => Ok(()),
            false => Err("invalid value".to_string()),
        },
    }
}

fn small(text: &str) -> Result<u32, String> {
    let number = parse_uint(text, 0)?;
    u32::try_from(number)
        .map_err(|_| format!("strconv.ParseUint: parsing {}: value out of range", quote(text.as_bytes())))
}

/// Go's spellings.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
