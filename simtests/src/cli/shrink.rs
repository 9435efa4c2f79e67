//! `etcdsim shrink`: a failure with as little in it as possible.
use super::{BROKEN, CLEAN, Stop, UNKNOWN, args, subject::Subject};
use crate::{
    report::Failure,
    shrink::{self, faults, in_one_line},
};
use clap::Args;
use std::{
    fs,
    io::{IsTerminal, stderr},
    path::PathBuf,
    time::Duration,
};

/// Make a failure small: fewer faults, members, clients, less time; the same judge says no
#[derive(Args)]
pub struct Shrink {
    #[command(flatten)]
    subject: Subject,
    /// How long to try
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = args::duration)]
    budget: Duration,
    /// Where the small failure goes [default: NAME.small.json in this folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Shrink {
    /// Clean if something small was found; it is broken if that does not play alike twice.
    pub(super) fn run(&self) -> Result<u8, Stop> {
        let case = self.subject.case()?;
        let watched = stderr().is_terminal();
        println!("from  {}", in_one_line(&case.plan));
        let shrunk = shrink::shrink(&case.plan, case.options, self.budget, |plan, tried| {
            if watched {
                let (faults, members) = (faults(plan), plan.settings.members);
                eprint!("\r{tried} plans played; {faults} faults, {members} members\x1b[K");
            }
        });
        if watched {
            eprintln!();
        }
        let Some(shrunk) = shrunk else {
            println!("it does not fail: there is nothing to make small");
            return Ok(UNKNOWN);
        };
        println!("to    {}", in_one_line(&shrunk.plan));
        println!(
            "      {} faults instead of {}, {} plans played",
            faults(&shrunk.plan),
            faults(&case.plan),
            shrunk.tried
        );
        let failure = Failure::of(&shrunk.played.outcome, case.options, &case.how)
            .ok_or_else(|| Stop::broken("the small failure did not fail when its choices were recorded"))?
            .with_run(&shrunk.plan, &shrunk.played);
        let path = self.out.clone().unwrap_or_else(|| self.subject.beside());
        let failure = failure.replayed_from(&path);
        let json = serde_json::to_string(&failure).map_err(|error| error.to_string())?;
        fs::write(&path, json).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{failure}");
        if shrunk.is_stable {
            return Ok(CLEAN);
        }
        println!("it was played twice more and did not do the same: this is a fault of the simulator");
        Ok(BROKEN)
    }
}
