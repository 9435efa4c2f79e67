//! How arguments are written: seeds and ranges of them, durations, shards, and what all commands that run seeds share.
use crate::{
    profile::Profile,
    report::{How, Summary},
    story::Options,
    token::{Engine, Token, parse_seed},
};
use clap::{Args, ValueEnum};
use detcd_core::{Plant, Plants};
use std::time::Duration;

/// Which seeds: so many, from this one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    pub first: u64,
    pub count: u64,
}

pub fn seed(text: &str) -> Result<u64, String> {
    parse_seed(text)
}

/// `1000`, `5000..6000`, or `9c1f..+500`: so many from a seed on.
pub fn seeds(text: &str) -> Result<Seeds, String> {
    let number = |text: &str| text.parse::<u64>().or_else(|_| parse_seed(text));
    let seeds = match text.split_once("..") {
        None => Seeds { first: 0, count: number(text)? },
        Some((first, last)) => {
            let first = parse_seed(first)?;
            let count = match last.strip_prefix('+') {
                Some(count) => number(count)?,
                None => parse_seed(last)?.saturating_sub(first),
            };
            Seeds { first, count }
        }
    };
    if seeds.count > 0 { Ok(seeds) } else { Err("there are no seeds in this range".to_string()) }
}

/// `90s`, `10m`, `1h30m`; a number alone is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is written like 90s, 10m or 1h30m".to_string();
    let (mut seconds, mut digits) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        digits.clear();
        seconds = number.checked_mul(unit).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
    }
    if !digits.is_empty() {
        // Behind a unit, a number without one would be a riddle.
        if digits.len() != text.len() {
            return Err(wrong());
        }
        seconds = digits.parse().map_err(|_| wrong())?;
    }
    if seconds > 0 { Ok(Duration::from_secs(seconds)) } else { Err(wrong()) }
}

/// One of several processes that share the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0; people count from 1.
    pub index: u64,
    pub of: u64,
}

pub fn shard(text: &str) -> Result<Shard, String> {
    let parts =
        text.split_once('/').and_then(|(i, n)| Some((i.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
    match parts {
        Some((i, of)) if i >= 1 && i <= of => Ok(Shard { index: i - 1, of }),
        _ => Err("a shard is I/N with I from 1 to N, say 2/5".to_string()),
    }
}

/// In millionths.
pub fn percent(text: &str) -> Result<u32, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok((percent * 10_000.0).round() as u32),
        _ => Err("a percentage is a number from 0 to 100".to_string()),
    }
}

pub fn profile(text: &str) -> Result<Profile, String> {
    text.parse()
}

/// What changes a seed's story and is no part of a token.
#[derive(Args, Clone)]
pub struct HowArgs {
    /// Plant a bug in every member; the simulator must find it
    #[arg(long, value_name = "BUG", value_parser = Plant::ALL.map(Plant::name), hide_possible_values = true)]
    plant: Option<String>,
    /// Judge by consequences only: not whether a member spoke before its disk was done, but whether harm came of it
    #[arg(long)]
    consequences_only: bool,
    /// Set no traps: as much goes wrong, but at random times
    #[arg(long)]
    no_aim: bool,
    /// A judge that must be heard says no at this event
    #[arg(long, value_name = "EVENT", hide = true)]
    canary: Option<u64>,
}

impl HowArgs {
    pub fn how(&self) -> How {
        let HowArgs { plant, consequences_only, no_aim, canary } = self.clone();
        How { plant, consequences_only, no_aim, canary }
    }
}

/// How a seed of this profile is run.
pub fn options(how: &How, profile: Profile, engine: Engine) -> Result<Options, String> {
    let plants = match &how.plant {
        None => Plants::NONE,
        Some(name) => planted(name)?,
    };
    Ok(Options {
        engine,
        profile,
        plants,
        aims: !how.no_aim,
        causes: !how.consequences_only,
        canary: how.canary,
        ..Options::default()
    })
}

/// What was run, for a summary: everything but the seed.
pub fn label(how: &How, profile: Profile, engine: Engine) -> String {
    let token = Token::now(0, profile, engine).to_string();
    let mut label = token.trim_start_matches("0-").to_string();
    if let Some(plant) = &how.plant {
        label.push_str(&format!(" with {plant}"));
    }
    if how.consequences_only {
        label.push_str(" by consequences only");
    }
    if how.no_aim {
        label.push_str(" without aiming");
    }
    label
}

/// The planted bug of this name.
#[cfg(feature = "plants")]
pub fn planted(name: &str) -> Result<Plants, String> {
    let plant = Plant::ALL.into_iter().find(|plant| plant.name() == name);
    plant.map(Plants::only).ok_or_else(|| format!("there is no planted bug {name}"))
}

/// The planted bug of this name, which this build does not have.
#[cfg(not(feature = "plants"))]
pub fn planted(_: &str) -> Result<Plants, String> {
    Err("this etcdsim was built without planted bugs. With them: cargo etcdsim-plants …, which is\n  \
         cargo run --release -p detcd-simtests --features plants --bin etcdsim -- …"
        .to_string())
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// To be read
    #[default]
    Text,
    /// To be merged, and for tools
    Json,
    /// For continuous integration
    Junit,
}

impl Form {
    pub fn show(self, summary: &Summary) -> String {
        match self {
            Form::Text => summary.to_string(),
            Form::Json => summary.to_json(),
            Form::Junit => summary.to_junit().trim_end().to_string(),
        }
    }
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_seeds() {
        assert_eq!(seeds("1000"), Ok(Seeds { first: 0, count: 1000 }));
        assert_eq!(seeds("0x10..0x20"), Ok(Seeds { first: 16, count: 16 }));
        assert_eq!(seeds("9c1f..+500"), Ok(Seeds { first: 0x9c1f, count: 500 }));
        for wrong in ["", "0", "9..3", "3..3", "x", "..", "1..+0"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_shards_and_shares() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("45"), Ok(Duration::from_secs(45)));
        for wrong in ["", "0", "m", "1d", "1m30", "-1s", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(shard("2/5"), Ok(Shard { index: 1, of: 5 }));
        for wrong in ["", "0/5", "6/5", "1", "1/0", "a/b"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
        assert_eq!((percent("5"), percent("0.5%"), percent("100")), (Ok(50_000), Ok(5_000), Ok(1_000_000)));
        assert!(percent("101").is_err() && percent("x").is_err() && percent("NaN").is_err());
    }
}
