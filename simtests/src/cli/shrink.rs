//! `etcdsim shrink`: a failure with as little in it as possible.
use super::Subject;
use crate::{
    report::duration,
    saved::Saved,
    shrink::{self, faults, in_one_line},
};
use clap::Args;
use std::{
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
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    budget: Duration,
    /// Where the small failure goes [default: NAME.small.json in this folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Exits 0 if something small was found, 2 if the subject does not fail, 3 if the result does not play alike twice.
pub fn shrink(args: &Shrink) -> Result<u8, String> {
    let case = args.subject.case()?;
    let watched = stderr().is_terminal();
    println!("from  {}", in_one_line(&case.plan));
    let shrunk = shrink::shrink(&case.plan, case.options, args.budget, |plan, tried| {
        if watched {
            eprint!(
                "\r{tried} plans played; {} faults, {} members\x1b[K",
                faults(plan),
                plan.settings.members
            );
        }
    });
    if watched {
        eprintln!();
    }
    let Some(shrunk) = shrunk else {
        println!("it does not fail: there is nothing to make small");
        return Ok(2);
    };
    println!("to    {}", in_one_line(&shrunk.plan));
    println!(
        "      {} faults instead of {}, {} plans played",
        faults(&shrunk.plan),
        faults(&case.plan),
        shrunk.tried
    );
    let saved = Saved::of(&shrunk.plan, case.options, case.plant.as_deref(), &shrunk.played)
        .ok_or("the small failure did not fail when its choices were recorded")?;
    let path = args.out.clone().unwrap_or_else(|| args.subject.beside());
    saved.write(&path)?;
    println!("{}: {}", saved.judge, saved.text.lines().next().unwrap_or_default());
    let tool = if case.plant.is_some() { "etcdsim-plants" } else { "etcdsim" };
    println!("saved; replay: cargo {tool} replay {}", path.display());
    if shrunk.is_stable {
        return Ok(0);
    }
    println!("it was played twice more and did not do the same: this is a fault of the simulator");
    Ok(3)
}
