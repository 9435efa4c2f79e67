//! Files that are damaged, or made to do harm: refused with a reason, in bounded time and memory, without a panic.
use super::{
    Stand, View,
    page::{ELEMENT, HEADER, PAGE},
    snap,
    testing::{image, load},
};
use crate::{ClusterId, Config, Member, MemberId, state::State};
use alloc::{format, string::String, vec::Vec};
use proptest::prelude::*;

fn view() -> View {
    let me = Member {
        id: MemberId(1),
        name: String::from("m"),
        peer_urls: Vec::new(),
        client_urls: Vec::new(),
        is_learner: false,
    };
    let mut state = State::new(&Config::new(me, ClusterId(1), Vec::new()));
    for key in 0..600 {
        let mut write = state.store.begin();
        write.put(format!("key{key:04}").as_bytes(), &[7; 50], 0);
        write.finish();
    }
    let mut write = state.store.begin();
    write.put(b"large", &[9; 9000], 0);
    write.finish();
    state.leases.grant(5, 60);
    state.view()
}

fn good() -> Vec<u8> {
    image(&view(), &Stand { index: 9, term: 2, ..Stand::default() })
}

fn read_u64(file: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes"))
}

/// The page of the key bucket's root, a branch, and the place of its first element.
fn branch(file: &[u8]) -> usize {
    let pages = file.len() / PAGE;
    let page = (2..pages).find(|page| file[page * PAGE + 8] == 1).expect("there is a branch");
    page * PAGE
}

#[test]
fn circles_and_pages_used_twice_are_refused() {
    let file = good();
    let branch = branch(&file);
    let own = (branch / PAGE) as u64;
    for (target, why) in
        [(own, "it is used twice"), (0, "a page that cannot be there"), (1, "a page that cannot be there")]
    {
        let mut bad = file.clone();
        bad[branch + HEADER + 8..branch + HEADER + 16].copy_from_slice(&target.to_le_bytes());
        assert_eq!(load(&bad).expect_err("damaged").why, why);
    }
    // The second child is the first once more.
    let mut bad = file.clone();
    let first = read_u64(&file, branch + HEADER + 8);
    let second = branch + HEADER + ELEMENT + 8;
    bad[second..second + 8].copy_from_slice(&first.to_le_bytes());
    assert!(load(&bad).is_err());
    let mut bad = file.clone();
    bad[second..second + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_eq!(load(&bad).expect_err("damaged").why, "a page that cannot be there");
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    let file = good();
    for len in (0..file.len()).step_by(PAGE / 2) {
        assert!(load(&file[..len]).is_err(), "{len} bytes");
    }
    assert!(load(&file).is_ok());
    // What stands behind the last page is not looked at: a digest, say.
    let longer = [&file[..], &[1; 32]].concat();
    assert!(load(&longer).is_ok());
}

#[test]
fn one_of_two_pages_of_metadata_is_enough() {
    for damaged in [&[0][..], &[1], &[0, 1]] {
        let mut file = good();
        for page in damaged {
            file[page * PAGE + 40] ^= 1;
        }
        assert_eq!(load(&file).is_ok(), damaged.len() == 1, "{damaged:?}");
    }
}

#[test]
fn pages_that_name_too_much_are_refused() {
    let file = good();
    let leaf = 2 * PAGE;
    for (at, bytes) in [
        // Count, length of the first key, length of the first value, its place; further pages.
        (10, &[0xff, 0xff][..]),
        (HEADER + 8, &[0xff, 0xff, 0xff, 0xff]),
        (HEADER + 12, &[0xff, 0xff, 0xff, 0xff]),
        (HEADER + 4, &[0xff, 0xff, 0xff, 0xff]),
        (12, &[0xff, 0xff, 0xff, 0xff]),
        (8, &[0x10]),
        (0, &[77]),
    ] {
        let mut bad = file.clone();
        bad[leaf + at..leaf + at + bytes.len()].copy_from_slice(bytes);
        let damage = load(&bad).expect_err("damaged");
        assert_eq!(damage.page, 2, "{damage}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a few bytes are changed to, the answer comes and is a state or a refusal.
    #[test]
    fn any_changed_bytes_are_read_without_harm(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..20),
    ) {
        let mut file = good();
        for (at, byte, in_head) in changes {
            // Most of a page is data; what leads from page to page is at its beginning.
            let at = at.index(file.len());
            let at = if in_head { at / PAGE * PAGE + at % 128 } else { at };
            file[at] = byte;
        }
        if let Ok(loaded) = load(&file) {
            let again = load(&image(&loaded.view, &loaded.stand));
            prop_assert!(again.is_ok(), "{:?}", again.err());
        }
    }

    #[test]
    fn any_file_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..3 * PAGE)) {
        prop_assert!(load(&bytes).is_err());
        prop_assert!(snap::decode(&bytes).is_err());
        snap::read_document(&bytes);
    }
}
