//! `etcdsim replay`: one run again, to be looked at.
use super::{
    BROKEN, CLEAN, Stop, UNKNOWN, VIOLATION,
    subject::{Case, Subject, case},
};
use crate::{
    report::{Failure, How, Wanted},
    story::{self, Choices, Options, Outcome, Verdict},
    token::Token,
};
use clap::Args;
use detcd_core::Plants;

/// Run one seed again and show what happened
#[derive(Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Replay {
    #[command(flatten)]
    subject: Subject,
    /// Print every event
    #[arg(long)]
    trace: bool,
    /// With --trace: up to this event
    #[arg(long, value_name = "EVENT", requires = "trace")]
    until: Option<usize>,
    #[command(flatten)]
    wanted: Wanted,
}

const EXAMPLES: &str = "\
Examples:
  cargo etcdsim replay 9c1f-swarm-m3                        its plan, what it did, its verdict
  cargo etcdsim replay 9c1f-swarm-m3 --trace                and every event, one per line
  cargo etcdsim replay 9c1f-swarm-m3 --html run.html        as a picture
  cargo etcdsim replay found/failures/9c1f-swarm-m3-….json  and must be what was saved, to the event
  cargo etcdsim replay 0x9c1f --profile quick               a seed is a token of today

A token is seed, profile, engine and version: 9c1f-swarm-m3 is seed 0x9c1f of the profile swarm, played by the member
simulation (m; r is the replica simulation) in version 1 of what seeds mean to it. Another version is refused: its
seeds tell other stories. A file holds plan and choices, and is played from them.

Exit codes: 0 clean, 1 a rule was broken, 2 no judge could tell or wrong usage, 3 the simulator itself is wrong, the \
version is another, or the run differs from the file.";

impl Replay {
    pub(super) fn run(&self) -> Result<u8, Stop> {
        let Case { plan, options, how, saved, choices } = self.subject.case()?;
        let options = Options { trace: self.trace, record: self.wanted.is_any(), ..options };
        println!("{plan}");
        let played = story::play_with(plan, options, choices);
        let outcome = played.outcome;
        self.show(&outcome);
        let mut failure = Failure::of(&outcome, options, &how);
        // A run from a file need not be what its seed stands for.
        if let (Some(failure), Some(saved)) =
            (&mut failure, saved.as_ref().filter(|saved| saved.run.is_some()))
        {
            failure.replay.clone_from(&saved.replay);
        }
        match &failure {
            Some(failure) => println!("{failure}"),
            None => println!("CLEAN seed={:#x}", outcome.seed),
        }
        let differs = saved.and_then(|saved| differs(&saved, &outcome, failure.as_ref()));
        if let Some(differs) = &differs {
            println!("DIFFERS from the file: {differs}");
            if let Some(strayed) = played.strayed {
                println!("  {strayed}");
            }
        }
        println!("transcript {}", outcome.digest);
        if let Some(mut recording) = outcome.recording {
            let token = Token::now(outcome.seed, options.profile, options.engine);
            recording.replay =
                failure.map_or_else(|| format!("cargo etcdsim replay {token}"), |failure| failure.replay);
            print!("{}", self.wanted.make(&recording, |other| self.other(other))?);
        }
        Ok(match outcome.verdict {
            _ if differs.is_some() => BROKEN,
            Verdict::Clean => CLEAN,
            Verdict::Fail { .. } => VIOLATION,
            Verdict::Unknown(_) => UNKNOWN,
            Verdict::Broken(_) => BROKEN,
        })
    }

    /// Another run to compare with, played without planted bugs; none if it is no run.
    fn other(&self, other: &str) -> Option<crate::report::recording::Recording> {
        let case = case(other, self.subject.profile, self.subject.sim, How::default()).ok()?;
        let options = Options { plants: Plants::NONE, record: true, ..case.options };
        Some(*story::play_with(case.plan, options, Choices::Draw).outcome.recording?)
    }

    fn show(&self, outcome: &Outcome) {
        if let Some(text) = &outcome.text {
            for line in text.lines().take(self.until.unwrap_or(usize::MAX)) {
                println!("{line}");
            }
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
}

/// In what a run is not what was saved.
fn differs(saved: &Failure, outcome: &Outcome, now: Option<&Failure>) -> Option<String> {
    let digest = outcome.digest.to_string();
    if saved.digest != digest {
        return Some(format!("its transcript was {}, and is {digest}", saved.digest));
    }
    let said = now.map_or("nothing", |now| now.fingerprint.as_str());
    let event = now.map_or(outcome.event, |now| now.event);
    (said != saved.fingerprint || event != saved.event).then(|| {
        format!("{} spoke at event {}, and now {said} at event {event}", saved.fingerprint, saved.event)
    })
}
