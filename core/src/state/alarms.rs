//! Raised alarms. Source: contract-semantics 13.2.
use alloc::{sync::Arc, vec::Vec};
use detcd_proto::etcdserverpb::{
    AlarmMember, AlarmRequest, AlarmResponse, AlarmType, alarm_request::AlarmAction,
};

/// By member, then kind; shared with the views.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<Vec<AlarmMember>>);

/// What an alarm request changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmChange {
    Raised(AlarmMember),
    Cleared(AlarmMember),
}

impl From<Arc<Vec<AlarmMember>>> for Alarms {
    /// In the order that they keep.
    fn from(alarms: Arc<Vec<AlarmMember>>) -> Alarms {
        Alarms(alarms)
    }
}

impl Alarms {
    pub fn shared(&self) -> Arc<Vec<AlarmMember>> {
        self.0.clone()
    }

    pub fn any(&self, kind: AlarmType) -> bool {
        self.0.iter().any(|alarm| alarm.alarm == i32::from(kind))
    }

    pub fn has(&self, alarm: &AlarmMember) -> bool {
        self.place(alarm).is_ok()
    }

    /// The reply lists what the request was about, header still empty. Nothing for an action nobody knows.
    pub fn apply(&mut self, request: &AlarmRequest) -> Option<(AlarmResponse, Option<AlarmChange>)> {
        let none = i32::from(AlarmType::None);
        let alarm = AlarmMember { member_id: request.member_id, alarm: request.alarm };
        let (alarms, change) = match AlarmAction::try_from(request.action).ok()? {
            AlarmAction::Get => {
                let asked = |alarm: &&AlarmMember| request.alarm == none || alarm.alarm == request.alarm;
                (self.0.iter().filter(asked).copied().collect(), None)
            }
            AlarmAction::Activate if request.alarm == none => (Vec::new(), None),
            AlarmAction::Activate => {
                let change = self.place(&alarm).err().map(|place| {
                    Arc::make_mut(&mut self.0).insert(place, alarm);
                    AlarmChange::Raised(alarm)
                });
                (alloc::vec![alarm], change)
            }
            AlarmAction::Deactivate => match self.place(&alarm) {
                Ok(place) => {
                    Arc::make_mut(&mut self.0).remove(place);
                    (alloc::vec![alarm], Some(AlarmChange::Cleared(alarm)))
                }
                Err(_) => (Vec::new(), None),
            },
        };
        Some((AlarmResponse { header: None, alarms }, change))
    }

    fn place(&self, alarm: &AlarmMember) -> Result<usize, usize> {
        self.0.binary_search_by_key(&(alarm.member_id, alarm.alarm), |a| (a.member_id, a.alarm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(alarms: &mut Alarms, action: AlarmAction, member_id: u64, alarm: AlarmType) -> (Vec<u64>, bool) {
        let request = AlarmRequest { action: action.into(), member_id, alarm: alarm.into() };
        let (response, change) = alarms.apply(&request).expect("a known action");
        (response.alarms.iter().map(|alarm| alarm.member_id).collect(), change.is_some())
    }

    #[test]
    fn alarms_are_raised_once_listed_by_kind_and_cleared_exactly() {
        let mut alarms = Alarms::default();
        let (get, on, off) = (AlarmAction::Get, AlarmAction::Activate, AlarmAction::Deactivate);
        let (none, space, corrupt) = (AlarmType::None, AlarmType::Nospace, AlarmType::Corrupt);
        assert_eq!(ask(&mut alarms, on, 2, none), (alloc::vec![], false));
        assert_eq!(ask(&mut alarms, on, 2, space), (alloc::vec![2], true));
        assert_eq!(ask(&mut alarms, on, 2, space), (alloc::vec![2], false), "raised already");
        assert_eq!(ask(&mut alarms, on, 1, corrupt), (alloc::vec![1], true));
        assert_eq!(ask(&mut alarms, get, 9, none), (alloc::vec![1, 2], false));
        assert_eq!(ask(&mut alarms, get, 9, space), (alloc::vec![2], false));
        assert_eq!(ask(&mut alarms, off, 1, space), (alloc::vec![], false), "another member's");
        assert_eq!(ask(&mut alarms, off, 2, space), (alloc::vec![2], true));
        assert!(!alarms.any(space) && alarms.any(corrupt));
        let unknown = AlarmRequest { action: 7, member_id: 1, alarm: 1 };
        assert!(alarms.apply(&unknown).is_none());
    }
}
