use super::*;
use crate::{Config, Member, MemberId, query, state::State};

/// Keys `k00` to `k49`, each put three times; every fifth is gone.
fn view() -> View {
    let me = Member {
        id: MemberId(1),
        name: "m".into(),
        peer_urls: Vec::new(),
        client_urls: Vec::new(),
        is_learner: false,
    };
    let mut state = State::new(&Config::new(me, crate::ClusterId(1), Vec::new()));
    for round in 0..3 {
        for key in 0..50 {
            let mut write = state.store.begin();
            write.put(alloc::format!("k{key:02}").as_bytes(), alloc::format!("{round}").as_bytes(), 0);
            write.finish();
        }
    }
    for key in (0..50).step_by(5) {
        let mut write = state.store.begin();
        write.delete(alloc::format!("k{key:02}").as_bytes());
        write.finish();
    }
    state.view()
}

fn joined(
    view: &View,
    request: &RangeRequest,
    pairs_max: usize,
    bytes: usize,
) -> (RangeResponse, Vec<usize>) {
    let mut pieces = Pieces::new(view, request.clone(), pairs_max, bytes).expect("readable");
    let mut whole = RangeResponse::default();
    let mut sizes = Vec::new();
    while let Some(piece) = pieces.next_piece() {
        assert_eq!(pieces.is_done(), piece.header.is_some(), "the last piece has the header");
        sizes.push(piece.kvs.len());
        whole.header = piece.header;
        whole.more |= piece.more;
        whole.count += piece.count;
        whole.kvs.extend(piece.kvs);
    }
    (whole, sizes)
}

#[test]
fn pieces_behind_each_other_are_the_range() {
    let view = view();
    let bounds =
        [("k", "l"), ("k10", "k20"), ("k11", ""), ("k00", ""), ("k", "\0"), ("x", "y"), ("k2", "k1")];
    for (key, range_end) in bounds {
        for limit in [-1, 0, 1, 7, 40, 41, 1000] {
            for revision in [-5, 0, 60, 152] {
                for (keys_only, count_only) in [(false, false), (true, false), (false, true)] {
                    let request = RangeRequest {
                        key: key.into(),
                        range_end: range_end.into(),
                        limit,
                        revision,
                        keys_only,
                        count_only,
                        ..RangeRequest::default()
                    };
                    let expected = query::range(&view, &request).expect("readable");
                    for (pairs_max, bytes) in [(1, 1 << 20), (3, 60), (1000, 1), (1000, 1 << 20)] {
                        let (whole, _) = joined(&view, &request, pairs_max, bytes);
                        assert_eq!(whole, expected, "{request:?} in pieces of {pairs_max} or {bytes} bytes");
                    }
                }
            }
        }
    }
}

#[test]
fn small_pieces_grow_and_large_pairs_end_one() {
    let view = view();
    let all = RangeRequest { key: "k".into(), range_end: "l".into(), ..RangeRequest::default() };
    assert_eq!(joined(&view, &all, 10, 1 << 20).1, [10, 20, 10]);
    assert_eq!(joined(&view, &all, 10, 1).1, alloc::vec![1; 40]);
}

#[test]
fn what_cannot_be_read_or_divided_is_refused() {
    let view = view();
    let at = |revision| RangeRequest { key: "k".into(), revision, ..RangeRequest::default() };
    assert_eq!(Pieces::new(&view, at(1000), 1, 1).err(), Some(Refusal::FutureRev));
    let plain = at(0);
    assert_eq!(divisible(&plain), Ok(()));
    assert_eq!(divisible(&RangeRequest { sort_order: 1, ..plain.clone() }), Ok(()));
    for (sort_order, sort_target) in [(2, 0), (0, 1), (1, 4)] {
        let request = RangeRequest { sort_order, sort_target, ..plain.clone() };
        assert_eq!(divisible(&request), Err(Refusal::StreamSorted));
    }
    let filtered = RangeRequest { min_mod_revision: 1, ..plain };
    assert_eq!(divisible(&filtered), Err(Refusal::StreamFiltered));
}
