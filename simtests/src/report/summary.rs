//! What many runs came to. Summaries of parts add up to the summary of the whole: the order does not matter, nor how
//! many machines ran them.
use super::failure::{Failure, Kind};
use crate::story::{Outcome, Verdict};
use detcd_runtime_sim::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Of the file that a summary is saved in. Raised when a reader of the old one would misread the new one.
const FORMAT: u32 = 1;

/// How often something happened, and in how many seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub times: u64,
    pub seeds: u64,
}

/// All seeds that failed alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub kind: Kind,
    pub judge: String,
    pub shape: String,
    pub seeds: u64,
    pub first_seed: u64,
    /// The line of the first seed.
    pub first: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub format: u32,
    /// What was run: profile, engine and version, planted bug.
    pub runs: BTreeSet<String>,
    pub seeds: u64,
    pub failed: u64,
    pub unknown: u64,
    pub broken: u64,
    /// Seeds that were run twice, and those of them that were not the same.
    pub verified: u64,
    pub differing: u64,
    /// Seeds that did next to nothing.
    pub vacuous: u64,
    pub interrupted: bool,
    /// Every seed's digest, joined so that the order of running does not matter.
    #[serde(with = "hex")]
    pub digest: Digest,
    pub simulated_ns: u64,
    pub events: u64,
    /// Requests that were answered as wished.
    pub acked: u64,
    /// Answers that were compared with the model.
    pub checked: u64,
    /// Writes whose fate nobody was told.
    pub unknown_fate: u64,
    pub counts: BTreeMap<String, Count>,
    /// By fingerprint.
    pub failures: BTreeMap<String, Group>,
    /// The longest of the parts, which may have run at the same time.
    pub wall_ns: u64,
    pub cpu_ns: u64,
    pub jobs: u64,
}

impl Default for Summary {
    fn default() -> Summary {
        Summary {
            format: FORMAT,
            runs: BTreeSet::new(),
            seeds: 0,
            failed: 0,
            unknown: 0,
            broken: 0,
            verified: 0,
            differing: 0,
            vacuous: 0,
            interrupted: false,
            digest: Digest::default(),
            simulated_ns: 0,
            events: 0,
            acked: 0,
            checked: 0,
            unknown_fate: 0,
            counts: BTreeMap::new(),
            failures: BTreeMap::new(),
            wall_ns: 0,
            cpu_ns: 0,
            jobs: 0,
        }
    }
}

impl Summary {
    /// Counts a run, and what was found wrong with it.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.digest = self.digest.join(outcome.seed, outcome.digest);
        self.simulated_ns += outcome.simulated_ns;
        self.events += outcome.events;
        self.acked += outcome.acked;
        self.checked += outcome.stats.checked;
        self.unknown_fate += outcome.stats.unknown_fate;
        self.vacuous += u64::from(outcome.is_vacuous());
        for (&what, &times) in &outcome.counts {
            match self.counts.get_mut(what) {
                Some(count) => {
                    count.times += times;
                    count.seeds += 1;
                }
                None => {
                    self.counts.insert(what.to_string(), Count { times, seeds: 1 });
                }
            }
        }
        match &outcome.verdict {
            Verdict::Clean => {}
            Verdict::Fail { .. } => self.failed += 1,
            Verdict::Unknown(_) => self.unknown += 1,
            Verdict::Broken(_) => self.broken += 1,
        }
    }

    /// Puts a failure to those of the same fingerprint. Gives how many there are now.
    pub fn add_failure(&mut self, failure: &Failure) -> u64 {
        self.differing += u64::from(failure.kind == Kind::Differs);
        let group = Group {
            kind: failure.kind,
            judge: failure.judge.clone(),
            shape: failure.shape.clone(),
            seeds: 1,
            first_seed: failure.seed(),
            first: failure.to_string(),
        };
        self.add_group(&failure.fingerprint, &group)
    }

    fn add_group(&mut self, fingerprint: &str, group: &Group) -> u64 {
        let Some(known) = self.failures.get_mut(fingerprint) else {
            self.failures.insert(fingerprint.to_string(), group.clone());
            return group.seeds;
        };
        known.seeds += group.seeds;
        // Whichever was found first in time, the lowest seed is the same in every order.
        if group.first_seed < known.first_seed {
            known.first_seed = group.first_seed;
            known.first.clone_from(&group.first);
        }
        known.seeds
    }

    /// Adds the summary of another part.
    pub fn merge(&mut self, part: &Summary) {
        self.runs.extend(part.runs.iter().cloned());
        self.seeds += part.seeds;
        self.failed += part.failed;
        self.unknown += part.unknown;
        self.broken += part.broken;
        self.verified += part.verified;
        self.differing += part.differing;
        self.vacuous += part.vacuous;
        self.interrupted |= part.interrupted;
        self.digest = self.digest.merge(part.digest);
        self.simulated_ns += part.simulated_ns;
        self.events += part.events;
        self.acked += part.acked;
        self.checked += part.checked;
        self.unknown_fate += part.unknown_fate;
        for (what, count) in &part.counts {
            let sum = self.counts.entry(what.clone()).or_default();
            sum.times += count.times;
            sum.seeds += count.seeds;
        }
        for (fingerprint, group) in &part.failures {
            self.add_group(fingerprint, group);
        }
        self.wall_ns = self.wall_ns.max(part.wall_ns);
        self.cpu_ns += part.cpu_ns;
        self.jobs += part.jobs;
    }

    /// Reads a saved summary.
    ///
    /// Errors: what is no summary, or one of another format.
    pub fn from_json(text: &str) -> Result<Summary, String> {
        let summary: Summary = serde_json::from_str(text).map_err(|error| format!("no summary: {error}"))?;
        if summary.format == FORMAT {
            Ok(summary)
        } else {
            Err(format!("a summary of format {}, and this etcdsim reads format {FORMAT}", summary.format))
        }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers, strings and maps of them can be written")
    }

    pub fn clean(&self) -> u64 {
        self.seeds - self.failed - self.unknown - self.broken
    }

    /// Everything that was made to go wrong so far.
    pub fn faults(&self) -> u64 {
        self.counts.iter().filter(|(what, _)| is_fault(what)).map(|(_, count)| count.times).sum()
    }
}

/// Whether a count is of something that went wrong, and not of work.
pub fn is_fault(what: &str) -> bool {
    !matches!(
        what,
        "net: message delivered"
            | "net: peer call"
            | "raft: leader elected"
            | "member: stopped in good order"
    ) && !what.starts_with("client: ")
        && !what.starts_with("seen: ")
        && !what.starts_with("judged: ")
        && !what.starts_with("idle: ")
}

/// A digest in JSON is its text: no number there holds 128 bits.
mod hex {
    use detcd_runtime_sim::Digest;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(digest)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Digest).map_err(D::Error::custom)
    }
}
