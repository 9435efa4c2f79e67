//! What a command works on: a token, a failure in a file, or a seed.
use super::{
    Stop,
    args::{self, HowArgs},
};
use crate::{
    plan::Plan,
    profile::Profile,
    report::{Failure, How},
    story::{self, Choices, Options},
    token::{Engine, Token, parse_seed},
};
use clap::Args;
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Args)]
pub struct Subject {
    /// A token (9c1f-swarm-m3), a file that `run --out` or `shrink` saved, or a seed (decimal, 0x hexadecimal, a
    /// commit's hash)
    #[arg(value_name = "TOKEN|FILE|SEED")]
    pub what: String,
    /// The profile of a seed; tokens and files have theirs in them
    #[arg(long, default_value = "swarm", value_parser = args::profile)]
    pub profile: Profile,
    /// Which simulation plays a seed; tokens and files say it themselves
    #[arg(long, value_enum, default_value = "member")]
    pub sim: Engine,
    #[command(flatten)]
    how: HowArgs,
}

/// A run that can be played.
pub struct Case {
    pub plan: Plan,
    pub options: Options,
    pub how: How,
    /// What it has to be, if it was saved.
    pub saved: Option<Failure>,
    pub choices: Choices,
}

impl Subject {
    pub fn case(&self) -> Result<Case, Stop> {
        case(&self.what, self.profile, self.sim, self.how.how())
    }

    /// Where a small version of it goes if nobody says.
    pub fn beside(&self) -> PathBuf {
        let path = Path::new(&self.what);
        let stem = path.file_stem().map_or("failure".into(), |stem| stem.to_string_lossy());
        path.with_file_name(format!("{}.small.json", stem.trim_end_matches(".small")))
    }
}

/// What somebody asked for.
pub struct Wanted {
    pub token: Token,
    pub how: How,
    /// What it has to be, if it was saved.
    pub saved: Option<Failure>,
}

/// Reads a token, the path of a saved failure, or a seed. What does not hold its run must be of the version of today.
pub fn wanted(text: &str, profile: Profile, engine: Engine, how: How) -> Result<Wanted, Stop> {
    let path = Path::new(text);
    let (token, how, saved): (Token, _, _) = if path.is_file() {
        let saved = read_failure(path)?;
        let token = saved.token.parse().map_err(|error| format!("{text}: {error}"))?;
        (token, saved.how.clone(), Some(saved))
    } else if text.contains('-') {
        (text.parse().map_err(|error| format!("{error}, and there is no such file"))?, how, None)
    } else {
        let seed = parse_seed(text).map_err(|error| format!("{text}: {error}"))?;
        (Token::now(seed, profile, engine), how, None)
    };
    let holds_run = saved.as_ref().is_some_and(|saved| saved.run.is_some());
    if let Some(why) = token.outdated().filter(|_| !holds_run) {
        return Err(Stop::broken(why));
    }
    Ok(Wanted { token, how, saved })
}

/// As `wanted`, ready to be played.
pub fn case(text: &str, profile: Profile, engine: Engine, how: How) -> Result<Case, Stop> {
    let Wanted { token, how, saved } = wanted(text, profile, engine, how)?;
    let options = args::options(&how, token.profile, token.engine)?;
    let (plan, choices) = match saved.as_ref().and_then(|saved| saved.run.as_deref()) {
        Some(run) => (run.plan.clone(), Choices::Play(run.tape.clone())),
        None => (story::plan(token.seed, options), Choices::Draw),
    };
    Ok(Case { plan, options, how, saved, choices })
}

pub fn read_failure(path: &Path) -> Result<Failure, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: no saved failure: {error}", path.display()))
}
