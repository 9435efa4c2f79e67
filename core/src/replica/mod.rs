//! One member of the cluster, as a machine: inputs in, effects out.
use crate::{
    Config, Edition, Effect, Effects, Input, Moment, Outcome, Refusal, Rng, Standing, Ticket, View, store,
    wal,
};
use alloc::{sync::Arc, vec::Vec};

/// Thin: it routes between the log, the state and the clients that wait.
#[derive(Debug)]
pub struct Replica {
    edition: Arc<Edition>,
}

impl Replica {
    /// Starts on what the log says, or as part of a new cluster if there is none.
    pub fn boot(
        config: Config,
        recovered: Option<wal::Replayed>,
        seed: u64,
        _now: Moment,
        _effects: &mut Effects,
    ) -> Replica {
        let _rng = Rng::from_seed(seed);
        drop(recovered);
        let view = View {
            keyspace: store::Keyspace::default(),
            leases: crate::lease::Table::new(),
            members: Arc::new(config.bootstrap),
            alarms: Arc::default(),
            cluster_version: None,
        };
        Replica { edition: Arc::new(Edition { view, changes: Vec::new(), standing: Standing::default() }) }
    }

    /// What this member would show to its clients now.
    pub fn edition(&self) -> Arc<Edition> {
        self.edition.clone()
    }

    /// The only verb: takes what happened, fires the timers that are due, decides. Answers when it next wants to be
    /// called even if nothing happens.
    pub fn turn(
        &mut self,
        _now: Moment,
        inputs: impl Iterator<Item = Input>,
        effects: &mut Effects,
    ) -> Option<Moment> {
        for input in inputs {
            match input {
                Input::Propose { ticket, .. }
                | Input::ReadPoint { ticket }
                | Input::KeepAlive { ticket, .. }
                | Input::TimeToLive { ticket, .. }
                | Input::Admin { ticket, .. } => refuse(ticket, effects),
                Input::Receive { .. }
                | Input::Linked { .. }
                | Input::Lost { .. }
                | Input::Persisted { .. } => {}
            }
        }
        None
    }
}

fn refuse(ticket: Ticket, effects: &mut Effects) {
    let outcome: Outcome = Err(Refusal::NotBuilt("the log"));
    effects.push(Effect::Reply { ticket, outcome });
}
