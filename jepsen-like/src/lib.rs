//! jepsen-like: histories of what clients of an etcd saw, and the judges of such histories.
//!
//! Nothing here knows how the etcd under test is built, only etcd's own vocabulary, so the same judge serves the
//! simulator and a real cluster. No clock, no threads, no randomness: the same history always gets the same verdict.
//!
//! Record a history, then ask:
//!
//! ```
//! use detcd_jepsen_like::{
//!     check::{self, Verdict, ViolationKind, etcd::Options},
//!     history::{History, KeyValue, Outcome, PutResponse, RangeResponse, Request, Response},
//! };
//!
//! let mut history = History::new();
//! let put = history.call(1, 10, Request::put("a", "1"));
//! history.ret(put, 20, Outcome::Ok(Response::Put(PutResponse { revision: 2, prev_kv: None })));
//!
//! // The connection breaks: this write may happen at any time from now on, or never.
//! let lost = history.call(1, 30, Request::put("a", "2"));
//! history.ret(lost, 40, Outcome::Unknown("connection lost".into()));
//!
//! // It did happen: nothing else can have made revision 3.
//! let kv = KeyValue {
//!     key: "a".into(), value: "2".into(), create_revision: 2, mod_revision: 3, version: 2, lease: 0,
//! };
//! let found = |revision, kv| Outcome::Ok(Response::Range(RangeResponse {
//!     revision, kvs: vec![kv], more: false, count: 1,
//! }));
//! let get = history.call(2, 50, Request::get("a"));
//! history.ret(get, 60, found(3, kv.clone()));
//!
//! let report = check::check_all(&history, &Options::default());
//! assert!(report.verdict.is_ok());
//! // A verdict is worth what was judged.
//! assert_eq!((report.stats.checked, report.stats.unknown_fate, report.stats.unknown_placed), (2, 1, 1));
//!
//! // A read that starts later must not see less.
//! let old = KeyValue { value: "1".into(), mod_revision: 2, version: 1, ..kv };
//! let get = history.call(3, 70, Request::get("a"));
//! history.ret(get, 80, found(2, old));
//! let Verdict::Illegal(violation) = check::etcd::check(&history, &Options::default()) else { panic!() };
//! assert_eq!(violation.kind, ViolationKind::RealTimeOrder);
//! assert_eq!(violation.ops, [3, 2]);
//! ```
//!
//! | module | what is there |
//! |---|---|
//! | [`history`] | operations, requests and outcomes |
//! | [`formats`] | histories as files |
//! | [`check`] | the judges: [`check::etcd`] by revisions, nearly linear; [`check::wgl`] for any model, by search |
//! | [`model`] | the specifications that [`check::wgl`] searches with |

pub mod check;
pub mod formats;
pub mod history;
pub mod model;
