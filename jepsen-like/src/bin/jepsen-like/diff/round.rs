//! Rounds: fresh servers, a list of steps, and how it ended.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Progress;
use super::duel::{Clash, Duel, Outcome};
use super::explained::explain;
use super::normal::Normaliser;
use super::plan::Step;
use super::report::Summary;
use super::schema::Schema;
use super::server::{Server, Source};

pub enum Ending {
    Same,
    /// The step that was answered differently, and how.
    Different {
        at: usize,
        clash: Box<Clash>,
    },
}

/// Where rounds are played.
pub struct Arena {
    schema: Schema,
    sources: [Source; 2],
    normaliser: Normaliser,
    built: BTreeSet<&'static str>,
    folder: PathBuf,
    keep: bool,
    rounds: u64,
}

impl Arena {
    pub fn new(sources: [Source; 2], dir: &Path, keep: bool) -> Arena {
        let hide_ids = sources.iter().any(|source| matches!(source, Source::Address(_)));
        let folder = dir.join(format!("jepsen-like-{}", std::process::id()));
        let normaliser = Normaliser { hide_ids };
        let schema = Schema::new();
        Arena { schema, sources, normaliser, built: BTreeSet::new(), folder, keep, rounds: 0 }
    }

    /// Whether every round begins with servers that hold nothing.
    pub fn is_fresh_each_time(&self) -> bool {
        self.sources.iter().all(|source| matches!(source, Source::Program(_)))
    }

    /// Plays the steps until the first difference that nothing explains.
    pub async fn play(
        &mut self,
        steps: &[Step],
        summary: &mut Summary,
        progress: &mut Progress,
    ) -> Result<Ending, String> {
        if self.rounds > 0 && !self.is_fresh_each_time() {
            return Err(
                "a running server serves for one round only: make --round as large as --calls".to_owned()
            );
        }
        self.rounds += 1;
        let folder = self.folder.join(self.rounds.to_string());
        let (a, b) = (folder.join("a"), folder.join("b"));
        let (a, b) =
            tokio::join!(Server::open(&self.sources[0], &a, &[]), Server::open(&self.sources[1], &b, &[]),);
        let mut duel = Duel::new(&self.schema, &self.normaliser, [a?, b?], &mut self.built);
        let mut ending = Ending::Same;
        for (at, step) in steps.iter().enumerate() {
            match duel.play(step).await {
                Outcome::Same => summary.same(step),
                Outcome::NotBuilt => summary.not_built(step),
                Outcome::Different(clash) => match explain(&clash) {
                    Some(names) => summary.explained(step, &names),
                    None => {
                        summary.different(step);
                        ending = Ending::Different { at, clash };
                        break;
                    }
                },
            }
            progress.tell(summary);
        }
        duel.close().await?;
        if !self.keep && self.is_fresh_each_time() {
            std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        Ok(ending)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if !self.keep {
            // Not there if no server was ever started.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
