//! What a command works on: a failure in a file, or a seed that is drawn anew.
use crate::{
    plan::Plan,
    saved::{self, Saved},
    story::{Engine, Options},
};
use clap::Args;
use detcd_core::{Plant, Plants};
use std::path::{Path, PathBuf};

#[derive(Args)]
pub struct Subject {
    /// A failure saved by `run --out` or `shrink --out`, or a seed, decimal or 0x hexadecimal
    #[arg(value_name = "FILE|SEED")]
    pub what: String,
    /// For a seed: play it in the replica simulation instead of the member simulation
    #[arg(long)]
    pub replica: bool,
    /// For a seed: plant this bug in every member
    #[arg(long, value_name = "BUG", value_parser = Plant::ALL.map(Plant::name))]
    pub plant: Option<String>,
    /// For a seed: judge by consequences only
    #[arg(long)]
    pub consequences_only: bool,
}

/// A plan and how to play it.
pub struct Case {
    pub plan: Plan,
    pub options: Options,
    pub plant: Option<String>,
    pub saved: Option<Saved>,
}

impl Subject {
    pub fn case(&self) -> Result<Case, String> {
        let path = Path::new(&self.what);
        if path.is_file() {
            let saved = Saved::read(path)?;
            let options = saved.options()?;
            return Ok(Case {
                plan: saved.plan.clone(),
                options,
                plant: saved.plant.clone(),
                saved: Some(saved),
            });
        }
        let parsed = match self.what.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => self.what.parse(),
        };
        let seed = parsed.map_err(|_| format!("{} is neither a file nor a seed", self.what))?;
        let plants = self.plant.as_deref().map_or(Ok(Plants::NONE), saved::planted)?;
        let engine = if self.replica { Engine::Replica } else { Engine::Member };
        let options = Options { engine, plants, causes: !self.consequences_only, ..Options::default() };
        Ok(Case { plan: Plan::draw(seed, plants), options, plant: self.plant.clone(), saved: None })
    }

    /// Where a small version goes if nobody says.
    pub fn beside(&self) -> PathBuf {
        let stem = Path::new(&self.what).file_stem().map_or("failure".into(), |stem| stem.to_string_lossy());
        PathBuf::from(format!("{}.small.json", stem.trim_end_matches(".small")))
    }
}
