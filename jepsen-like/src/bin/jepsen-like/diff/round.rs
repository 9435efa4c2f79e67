//! Rounds: fresh servers, a list of steps, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::duel::{Duel, Outcome};
use super::explained::explain;
use super::normal::Normaliser;
use super::plan::Step;
use super::report::Summary;
use super::schema::Schema;
use super::server::{Server, Source};
use super::shrink::Found;

/// What all rounds add to.
#[derive(Default)]
pub struct Findings {
    pub summary: Summary,
    /// Kinds of differences, and in how many rounds they came.
    pub kinds: BTreeMap<String, u64>,
}

/// Where rounds are played.
pub struct Arena {
    pub schema: Schema,
    sources: [Source; 2],
    normaliser: Normaliser,
    built: BTreeSet<&'static str>,
    folder: PathBuf,
    keep: bool,
    rounds: u64,
}

impl Arena {
    /// `folder` is made, and removed again unless its contents are to be kept.
    pub fn new(sources: [Source; 2], folder: PathBuf, keep: bool) -> Arena {
        let hide_ids = sources.iter().any(|source| matches!(source, Source::Address(_)));
        let normaliser = Normaliser { hide_ids };
        let schema = Schema::new();
        Arena { schema, sources, normaliser, built: BTreeSet::new(), folder, keep, rounds: 0 }
    }

    /// Whether every round begins with servers that hold nothing.
    pub fn is_fresh_each_time(&self) -> bool {
        self.sources.iter().all(|source| matches!(source, Source::Program(_)))
    }

    /// Plays the steps until the first difference that nothing explains. `tell` hears what became of each.
    pub async fn play(
        &mut self,
        steps: &[Step],
        mut tell: impl FnMut(&Duel<'_>, &Step, &Judged),
    ) -> Result<Option<Found>, String> {
        if self.rounds > 0 && !self.is_fresh_each_time() {
            return Err(
                "a running server serves for one round only: make --round as large as --calls".to_owned()
            );
        }
        self.rounds += 1;
        let folder = self.folder.join(self.rounds.to_string());
        let (a, b) = (folder.join("a"), folder.join("b"));
        let (a, b) = tokio::join!(Server::open(&self.sources[0], &a), Server::open(&self.sources[1], &b));
        let mut duel = Duel::new(&self.schema, &self.normaliser, [a?, b?], &mut self.built);
        let mut found = None;
        for (at, step) in steps.iter().enumerate() {
            let judged = match duel.play(step).await {
                Outcome::Same => Judged::Same,
                Outcome::NotBuilt => Judged::NotBuilt,
                Outcome::Different(clash) => match explain(&clash) {
                    Some(names) => Judged::Explained(names),
                    None => {
                        found = Some((at, clash));
                        Judged::Different
                    }
                },
            };
            tell(&duel, step, &judged);
            if found.is_some() {
                break;
            }
        }
        duel.close().await?;
        if !self.keep && self.is_fresh_each_time() {
            std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        Ok(found)
    }
}

/// What became of a step, after looking for explanations.
pub enum Judged {
    Same,
    Explained(Vec<&'static str>),
    NotBuilt,
    Different,
}

impl Drop for Arena {
    fn drop(&mut self) {
        if !self.keep {
            // Not there if no server was ever started.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
