//! One watcher: what it wants, and how far it has been served.
use crate::KeyRange;
use detcd_proto::etcdserverpb::{WatchCreateRequest, watch_create_request::FilterType};

#[derive(Debug)]
pub struct Watcher {
    pub range: KeyRange,
    no_put: bool,
    no_delete: bool,
    pub prev_kv: bool,
    pub fragment: bool,
    pub progress_notify: bool,
    /// As it was asked for; 0 is the next one.
    start_revision: i64,
    pub place: Place,
    /// Something was delivered since the last periodic progress tick.
    pub busy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Hears every edition; changes below `from` are not for it.
    Synced { from: i64 },
    /// Everything below `next` is served or not for it; the rest comes from a View.
    Lagging { next: i64 },
    /// Cancelled by compaction. Its id stays taken until the client cancels it too.
    Compacted,
}

impl Watcher {
    pub fn new(request: &WatchCreateRequest, range: KeyRange, place: Place) -> Watcher {
        let filters = |filter: FilterType| request.filters.contains(&(filter as i32));
        Watcher {
            range,
            no_put: filters(FilterType::Noput),
            no_delete: filters(FilterType::Nodelete),
            prev_kv: request.prev_kv,
            fragment: request.fragment,
            progress_notify: request.progress_notify,
            start_revision: request.start_revision,
            place,
            busy: false,
        }
    }

    pub fn wants(&self, is_delete: bool) -> bool {
        !(if is_delete { self.no_delete } else { self.no_put })
    }

    /// Up to date at `revision`, and not waiting for a revision still to come. Source: contract-semantics 9.6.
    pub fn is_current(&self, revision: i64) -> bool {
        matches!(self.place, Place::Synced { .. }) && self.start_revision <= revision
    }
}
