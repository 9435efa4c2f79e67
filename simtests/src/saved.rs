//! A run in a file: its plan, its choices, and what came of it. Unlike a seed it tells the same story after the way plans
//! are drawn has changed; when members ask for other choices than they did, playing it says where that begins.
use crate::{
    plan::Plan,
    story::{self, Choices, Engine, Options, Played, Verdict},
};
use detcd_core::{Plant, Plants};
use detcd_runtime_sim::Tape;
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// The form of the file; a file of another form is refused.
const FORM: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The form of this file.
    pub form: u32,
    pub engine: Engine,
    /// The bug that was planted, if one was.
    pub plant: Option<String>,
    /// Judged by consequences only.
    pub consequences_only: bool,
    pub judge: String,
    pub text: String,
    /// Of the transcript.
    pub digest: String,
    pub plan: Plan,
    pub tape: Tape,
}

impl Saved {
    /// What is worth keeping of a run that failed and whose choices were recorded; none of any other.
    pub fn of(plan: &Plan, options: Options, plant: Option<&str>, played: &Played) -> Option<Saved> {
        let Verdict::Fail { judge, text } = &played.outcome.verdict else { return None };
        Some(Saved {
            form: FORM,
            engine: options.engine,
            plant: plant.map(str::to_owned),
            consequences_only: !options.causes,
            judge: judge.clone(),
            text: text.clone(),
            digest: played.outcome.digest.to_string(),
            plan: plan.clone(),
            tape: played.tape.clone()?,
        })
    }

    pub fn write(&self, path: &Path) -> Result<(), String> {
        let json = serde_json::to_string(self).map_err(|error| format!("{}: {error}", path.display()))?;
        fs::write(path, json).map_err(|error| format!("{}: {error}", path.display()))
    }

    pub fn read(path: &Path) -> Result<Saved, String> {
        let json = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let value: serde_json::Value = serde_json::from_str(&json)
            .map_err(|error| format!("{} is not a saved run: {error}", path.display()))?;
        match value.get("form").and_then(serde_json::Value::as_u64) {
            Some(form) if form == u64::from(FORM) => {}
            Some(form) => {
                return Err(format!(
                    "{} has form {form}, and this etcdsim reads form {FORM}",
                    path.display()
                ));
            }
            None => return Err(format!("{} is not a saved run: it has no form", path.display())),
        }
        serde_json::from_value(value).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// How it was played. Err: with a planted bug that this build does not have.
    pub fn options(&self) -> Result<Options, String> {
        let plants = self.plant.as_deref().map_or(Ok(Plants::NONE), planted)?;
        Ok(Options { engine: self.engine, plants, causes: !self.consequences_only, ..Options::default() })
    }

    /// Plays it again from its own choices.
    pub fn play(&self, options: Options) -> Played {
        story::play_with(self.plan.clone(), options, Choices::Play(self.tape.clone()))
    }
}

/// The planted bug of this name.
#[cfg(feature = "plants")]
pub fn planted(name: &str) -> Result<Plants, String> {
    let plant = Plant::ALL.into_iter().find(|plant| plant.name() == name);
    plant.map(Plants::only).ok_or_else(|| format!("there is no planted bug {name}"))
}

/// The planted bug of this name, which this build does not have.
#[cfg(not(feature = "plants"))]
pub fn planted(name: &str) -> Result<Plants, String> {
    if Plant::ALL.into_iter().all(|plant| plant.name() != name) {
        return Err(format!("there is no planted bug {name}"));
    }
    Err("this etcdsim was built without planted bugs. With them: cargo etcdsim-plants …, which is\n  \
         cargo run --release -p detcd-simtests --features plants --bin etcdsim -- …"
        .to_string())
}
