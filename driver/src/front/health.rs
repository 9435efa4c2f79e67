//! Whether this member is well. Source: contract-semantics 20.
use crate::{Node, Runtime};
use detcd_core::Refusal;
use detcd_proto::etcdserverpb::AlarmType;

/// The single checks behind `/livez` and `/readyz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    DataCorruption,
    SerializableRead,
    LinearizableRead,
    NonLearner,
}

impl<R: Runtime> Node<R> {
    /// What `/health` says: the reason why not, in etcd's words. `exclude` holds names of alarms to look past.
    pub async fn health(&self, exclude: &[String], serializable: bool) -> Result<(), String> {
        let healthy = self.examine(exclude, serializable).await;
        let meters = self.meters();
        if healthy.is_ok() { &meters.health_good } else { &meters.health_bad }.add(1);
        healthy
    }

    async fn examine(&self, exclude: &[String], serializable: bool) -> Result<(), String> {
        let edition = self.latest();
        for alarm in edition.view.alarms.iter() {
            let name = match AlarmType::try_from(alarm.alarm) {
                Ok(AlarmType::Nospace) => "NOSPACE",
                Ok(AlarmType::Corrupt) => "CORRUPT",
                Ok(AlarmType::None) | Err(_) => "UNKNOWN",
            };
            if !exclude.iter().any(|excluded| excluded == name) {
                return Err(format!("ALARM {name}"));
            }
        }
        if !serializable {
            if edition.standing.leader.is_none() {
                return Err("RAFT NO LEADER".to_string());
            }
            self.read_point().await.map_err(|refusal| format!("RANGE ERROR:{refusal}"))?;
        }
        Ok(())
    }

    /// One check; the error's text is the HTTP endpoint's.
    pub async fn probe(&self, probe: Probe) -> Result<(), String> {
        match probe {
            Probe::DataCorruption => {
                let corrupt = i32::from(AlarmType::Corrupt);
                match self.latest().view.alarms.iter().any(|alarm| alarm.alarm == corrupt) {
                    true => Err("alarm activated: CORRUPT".to_string()),
                    false => Ok(()),
                }
            }
            // The board always holds a state to read from.
            Probe::SerializableRead => Ok(()),
            Probe::LinearizableRead => {
                self.read_point().await.map_err(|refusal: Refusal| refusal.to_string())
            }
            Probe::NonLearner => match self.latest().standing.is_learner {
                true => Err("not supported for learner".to_string()),
                false => Ok(()),
            },
        }
    }
}
