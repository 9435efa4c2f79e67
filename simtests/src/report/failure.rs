//! One run that was not clean: the line that is printed, and the file that is kept.
use super::fingerprint::{fingerprint, shape};
use crate::{
    plan::Plan,
    story::{Options, Outcome, Played, Verdict},
    token::Token,
};
use detcd_runtime_sim::Tape;
use serde::{Deserialize, Serialize};
use std::{fmt, path::Path};

/// What was found wrong, in the order in which it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The same run twice was not the same run.
    Differs,
    /// The simulator itself is wrong.
    Broken,
    /// A rule was broken.
    Fail,
    /// No judge could tell.
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Differs => "DIFFERS",
            Kind::Broken => "BROKEN",
            Kind::Fail => "FAIL",
            Kind::Unknown => "UNKNOWN",
        })
    }
}

/// What of a run's options a token does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct How {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plant: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub consequences_only: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub no_aim: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl How {
    /// The cargo alias of the build that can run it.
    fn tool(&self) -> &'static str {
        if self.plant.is_some() { "etcdsim-plants" } else { "etcdsim" }
    }

    /// As it is typed behind a token.
    fn arguments(&self) -> String {
        let mut arguments = String::new();
        if let Some(plant) = &self.plant {
            arguments.push_str(&format!(" --plant {plant}"));
        }
        if self.consequences_only {
            arguments.push_str(" --consequences-only");
        }
        if self.no_aim {
            arguments.push_str(" --no-aim");
        }
        if let Some(event) = self.canary {
            arguments.push_str(&format!(" --canary {event}"));
        }
        arguments
    }
}

/// As it is saved. A reader ignores fields that it does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub token: String,
    pub kind: Kind,
    pub judge: String,
    pub text: String,
    /// How many events the transcript had when the judge spoke.
    pub event: u64,
    /// Of the whole transcript.
    pub digest: String,
    pub fingerprint: String,
    /// The text without what differs between seeds of the same bug.
    pub shape: String,
    #[serde(flatten)]
    pub how: How,
    /// The command that shows it again.
    pub replay: String,
    /// The plan, to be read.
    #[serde(default)]
    pub plan: String,
    /// The run itself: with it, the failure can be replayed whatever its token means by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<Stored>>,
}

/// A run as data: its plan and its choices. Unlike a seed it tells the same story after the way plans are drawn has
/// changed; when members ask for other choices than they did, playing it says where that begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub plan: Plan,
    pub tape: Tape,
}

impl Failure {
    /// None for a clean run.
    pub fn of(outcome: &Outcome, options: Options, how: &How) -> Option<Failure> {
        let (kind, judge, text) = match &outcome.verdict {
            Verdict::Clean => return None,
            Verdict::Fail { judge, text } => (Kind::Fail, judge.as_str(), text.as_str()),
            Verdict::Unknown(text) => (Kind::Unknown, "linearizability", text.as_str()),
            Verdict::Broken(text) => (Kind::Broken, "simulator", text.as_str()),
        };
        Some(Failure::new(outcome, options, how, (kind, judge, text.to_string())))
    }

    /// The same run twice, if it was not the same.
    pub fn of_two(one: &Outcome, two: &Outcome, options: Options, how: &How) -> Option<Failure> {
        let text = difference(one, two)?;
        Some(Failure::new(one, options, how, (Kind::Differs, "determinism", text)))
    }

    fn new(
        outcome: &Outcome,
        options: Options,
        how: &How,
        (kind, judge, text): (Kind, &str, String),
    ) -> Failure {
        let token = Token::now(outcome.seed, options.profile, options.engine).to_string();
        let shape = shape(&text);
        Failure {
            kind,
            judge: judge.to_string(),
            event: outcome.event,
            digest: outcome.digest.to_string(),
            fingerprint: fingerprint(judge, &shape),
            shape,
            how: how.clone(),
            replay: format!("cargo {} replay {token}{}", how.tool(), how.arguments()),
            plan: String::new(),
            run: None,
            token,
            text,
        }
    }

    /// With the run itself, whose choices were recorded.
    pub fn with_run(self, plan: &Plan, played: &Played) -> Failure {
        let run = played.tape.clone().map(|tape| Box::new(Stored { plan: plan.clone(), tape }));
        Failure { plan: plan.to_string(), run, ..self }
    }

    /// The command that plays the file it is saved in.
    pub fn replayed_from(self, file: &Path) -> Failure {
        Failure { replay: format!("cargo {} replay {}", self.how.tool(), file.display()), ..self }
    }

    pub fn seed(&self) -> u64 {
        self.token.parse::<Token>().map_or(0, |token| token.seed)
    }
}

/// One line that can be pasted into a shell from behind `replay:` on.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { kind, judge, event, text, replay, .. } = self;
        let first = text.lines().next().unwrap_or_default();
        write!(f, "{kind} {judge} seed={:#x} event={event} ({first})  replay: {replay}", self.seed())
    }
}

/// In what two runs of the same seed differ, if in anything.
pub fn difference(one: &Outcome, two: &Outcome) -> Option<String> {
    if one.events != two.events {
        return Some(format!("{} events, then {}", one.events, two.events));
    }
    if one.digest != two.digest {
        return Some(format!("transcript {}, then {}", one.digest, two.digest));
    }
    if let Some((what, n)) = one.counts.iter().find(|(what, n)| two.counts.get(*what) != Some(n)) {
        let then = two.counts.get(what).copied().unwrap_or_default();
        return Some(format!("{what}: {n} times, then {then}"));
    }
    if one.counts.len() != two.counts.len() {
        return Some("the second run counted what the first did not".to_string());
    }
    (one.verdict != two.verdict || one.acked != two.acked || one.event != two.event)
        .then(|| "the same transcript was judged in two ways".to_string())
}
