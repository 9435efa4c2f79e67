//! `etcdsim replay`: one run again, to be looked at.
use super::{
    BROKEN, CLEAN, Stop, UNKNOWN, VIOLATION,
    args::{self, HowArgs},
    pool::Task,
};
use crate::{
    profile::Profile,
    report::{Failure, How},
    story::{Outcome, Verdict},
    token::{Engine, Token, parse_seed},
};
use clap::Args;
use std::{fs, path::Path};

/// Run one seed again and show what happened
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Replay {
    /// A token (9c1f-swarm-m1), a file that `run --out` saved, or a seed (decimal, 0x hexadecimal, a commit's hash)
    #[arg(value_name = "TOKEN|FILE|SEED")]
    what: String,
    /// The profile of a seed; tokens and files have theirs in them
    #[arg(long, default_value = "swarm", value_parser = args::profile)]
    profile: Profile,
    /// Print every event
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    how: HowArgs,
}

const EXAMPLES: &str = "\
Examples:
  cargo etcdsim replay 9c1f-swarm-m1                        its plan, what it did, its verdict
  cargo etcdsim replay 9c1f-swarm-m1 --trace                and every event, one per line
  cargo etcdsim replay found/failures/9c1f-swarm-m1-….json  and must be what was saved, to the event
  cargo etcdsim replay 0x9c1f --profile quick               a seed is a token of today

A token is seed, profile, engine and version: 9c1f-swarm-m1 is seed 0x9c1f of the profile swarm, played by the member
simulation (m; r is the replica simulation) in version 1 of what seeds mean to it. Another version is refused: its
seeds tell other stories.

Exit codes: 0 clean, 1 a rule was broken, 2 no judge could tell or wrong usage, 3 the simulator itself is wrong, the \
version is another, or the run differs from the file.";

/// What is to be run again.
pub(super) struct Wanted {
    pub token: Token,
    pub how: How,
    /// What it has to be, if it was saved.
    pub saved: Option<Failure>,
}

/// Reads a token, the path of a saved failure, or a seed.
pub(super) fn wanted(text: &str, profile: Profile, how: How) -> Result<Wanted, Stop> {
    let path = Path::new(text);
    let wanted = if path.is_file() {
        let saved = read_failure(path)?;
        let token = saved.token.parse().map_err(|error| format!("{text}: {error}"))?;
        Wanted { token, how: saved.how.clone(), saved: Some(saved) }
    } else if text.contains('-') {
        Wanted {
            token: text.parse().map_err(|error| format!("{error}, and there is no such file"))?,
            how,
            saved: None,
        }
    } else {
        let seed = parse_seed(text).map_err(|error| format!("{text}: {error}"))?;
        Wanted { token: Token::now(seed, profile, Engine::Member), how, saved: None }
    };
    if let Some(why) = wanted.token.outdated() {
        return Err(Stop::broken(why));
    }
    if wanted.token.engine == Engine::Replica {
        return Err(Stop::from(format!("{} waits for the replica simulation", wanted.token)));
    }
    Ok(wanted)
}

pub(super) fn read_failure(path: &Path) -> Result<Failure, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: no saved failure: {error}", path.display()))
}

impl Replay {
    pub(super) fn run(&self) -> Result<u8, Stop> {
        let Wanted { token, how, saved } = wanted(&self.what, self.profile, self.how.how())?;
        let options = args::options(&how, token.profile, self.trace)?;
        println!("{}", token.profile.plan(token.seed, options.plants));
        let outcome = Task { engine: token.engine, seed: token.seed, options }.play();
        show(&outcome);
        let failure = Failure::of(&outcome, token.engine, options, &how);
        match &failure {
            Some(failure) => println!("{failure}"),
            None => println!("CLEAN seed={:#x}", outcome.seed),
        }
        let differs = saved.and_then(|saved| differs(&saved, &outcome, failure.as_ref()));
        if let Some(differs) = &differs {
            println!("DIFFERS from the file: {differs}");
        }
        println!("transcript {}", outcome.digest);
        Ok(match outcome.verdict {
            _ if differs.is_some() => BROKEN,
            Verdict::Clean => CLEAN,
            Verdict::Fail { .. } => VIOLATION,
            Verdict::Unknown(_) => UNKNOWN,
            Verdict::Broken(_) => BROKEN,
        })
    }
}

fn show(outcome: &Outcome) {
    if let Some(text) = &outcome.text {
        print!("{text}");
    }
    for (what, n) in &outcome.counts {
        println!("{what:<34} {n:>8}");
    }
    println!(
        "{} events, {} requests answered, {:.1} simulated seconds",
        outcome.events,
        outcome.acked,
        outcome.simulated_ns as f64 / 1e9
    );
    if let Verdict::Fail { text, .. } = &outcome.verdict {
        println!("{text}");
    }
}

/// In what a run is not what was saved.
fn differs(saved: &Failure, outcome: &Outcome, now: Option<&Failure>) -> Option<String> {
    let digest = outcome.digest.to_string();
    if saved.digest != digest {
        return Some(format!("its transcript was {}, and is {digest}", saved.digest));
    }
    let said = now.map_or("nothing", |now| now.fingerprint.as_str());
    let event = outcome.event;
    (said != saved.fingerprint || event != saved.event).then(|| {
        format!("{} spoke at event {}, and now {said} at event {event}", saved.fingerprint, saved.event)
    })
}
