//! Tokens: a whole run in one word that can be pasted.
//!
//! `9c1f-swarm-m3` is seed 0x9c1f, profile swarm, engine `m` (members), version 3 of what seeds mean to that engine. A
//! token of another version names a story that this program cannot tell any more, and is refused rather than replayed as
//! another one.
use crate::profile::Profile;
use clap::ValueEnum;
use std::{fmt, str::FromStr};

/// Which simulation plays a seed. The same seed is another story for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Engine {
    /// Whole members as tasks on madsim's nodes: the code that ships, from the front to the log writer
    #[default]
    Member,
    /// Members that take their turns straight from a queue of what is due: faster
    Replica,
}

impl Engine {
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Member => "member",
            Engine::Replica => "replica",
        }
    }

    const fn letter(self) -> char {
        match self {
            Engine::Member => 'm',
            Engine::Replica => 'r',
        }
    }

    /// Raised whenever seeds change their meaning: whenever plans are drawn in another way.
    pub const fn version(self) -> u32 {
        match self {
            Engine::Member => 3,
            Engine::Replica => 3,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub seed: u64,
    pub profile: Profile,
    pub engine: Engine,
    pub version: u32,
}

impl Token {
    /// In the meaning of today.
    pub const fn now(seed: u64, profile: Profile, engine: Engine) -> Token {
        Token { seed, profile, engine, version: engine.version() }
    }

    /// Why it cannot be told any more, if so.
    pub fn outdated(&self) -> Option<String> {
        let current = self.engine.version();
        (self.version != current).then(|| {
            let (letter, name) = (self.engine.letter(), self.engine.name());
            format!(
                "{self} is of version {letter}{}, and this etcdsim tells version {letter}{current} of the {name} \
                 simulation: the same seed is another story now. Check out the commit that printed it, or replay the \
                 saved failure file",
                self.version
            )
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}-{}{}", self.seed, self.profile, self.engine.letter(), self.version)
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Token, String> {
        let shape = || {
            format!("{text} is no token: one looks like 9c1f-swarm-m3 (seed, profile, engine and version)")
        };
        let [seed, profile, last] = text.split('-').collect::<Vec<_>>()[..] else { return Err(shape()) };
        let seed = u64::from_str_radix(seed, 16).map_err(|_| shape())?;
        let profile = profile.parse()?;
        let engine = [Engine::Member, Engine::Replica].into_iter().find(|e| last.starts_with(e.letter()));
        let engine =
            engine.ok_or_else(|| format!("{text} names no engine: m is for member, r for replica"))?;
        let version = last.get(1..).and_then(|digits| digits.parse().ok()).ok_or_else(shape)?;
        Ok(Token { seed, profile, engine, version })
    }
}

/// Reads a seed: decimal, hexadecimal behind `0x`, or any other hexadecimal number, such as a commit's hash. What is
/// longer than 64 bits is folded: each digit is pushed in from the right, and what falls out on the left comes in again.
pub fn parse_seed(text: &str) -> Result<u64, String> {
    if let Ok(decimal) = text.parse() {
        return Ok(decimal);
    }
    let hex = text.strip_prefix("0x").unwrap_or(text);
    let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
    match digits {
        Some(digits) if !digits.is_empty() => {
            Ok(digits.into_iter().fold(0_u64, |seed, digit| seed.rotate_left(4) ^ u64::from(digit)))
        }
        _ => Err("a seed is a number, decimal or hexadecimal with 0x, or the hash of a commit".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_back() {
        for seed in [0, 0x9c1f, u64::MAX] {
            for engine in [Engine::Member, Engine::Replica] {
                let token = Token::now(seed, Profile::Quick, engine);
                assert_eq!(token.to_string().parse(), Ok(token));
                assert_eq!(token.outdated(), None);
            }
        }
        let old: Token = "9c1f-swarm-m0".parse().unwrap();
        assert_eq!((old.seed, old.version), (0x9c1f, 0));
        assert!(old.outdated().unwrap().contains("version m3"));
        for wrong in [
            "",
            "9c1f",
            "9c1f-swarm",
            "9c1f-noise-m3",
            "zz-swarm-m3",
            "9c1f-swarm-x1",
            "9c1f-swarm-m",
            "1-2-3-4",
        ] {
            assert!(wrong.parse::<Token>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn seeds_are_numbers_or_hashes() {
        assert_eq!(parse_seed("40"), Ok(40));
        assert_eq!(parse_seed("0x40"), Ok(0x40));
        assert_eq!(parse_seed("9c1f"), Ok(0x9c1f));
        assert_eq!(parse_seed("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(parse_seed("0000000000000000000000000000000000000007"), Ok(7));
        let hash = parse_seed("a905f3e2b3c4d5e6f708192a3b4c5d6e7f809101").unwrap();
        assert_ne!(Ok(hash), parse_seed("a905f3e2b3c4d5e6f708192a3b4c5d6e7f809102"));
        assert_ne!(Ok(hash), parse_seed("b905f3e2b3c4d5e6f708192a3b4c5d6e7f809101"));
        // A hash of forty decimal digits is a hash all the same.
        assert!(parse_seed("1234567890123456789012345678901234567890").is_ok());
        for wrong in ["", "0x", "x", "0xzz", "-1", "1.5"] {
            assert!(parse_seed(wrong).is_err(), "{wrong}");
        }
    }
}
