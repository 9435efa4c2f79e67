use super::{
    node::{LEAST, MOST},
    search::{Before, Behind},
    *,
};
use alloc::{collections::BTreeMap, format, vec::Vec};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Odd(u32);
impl Counted for Odd {
    fn counts(&self) -> bool {
        self.0 % 2 == 1
    }
}

/// A key whose comparing the trees cannot shorten.
impl Key for u32 {
    type Head = ();
}

/// A key made of bytes, a long stretch of them shared with its neighbours, some of them with the very same bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Text(Vec<u8>, u32);
impl Key for Text {
    type Head = u64;
    fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Numbers as keys, in the same order.
trait Numbered: Key + fmt::Debug {
    fn of(number: u32) -> Self;
    fn number(&self) -> u32;
}
impl Numbered for u32 {
    fn of(number: u32) -> u32 {
        number
    }
    fn number(&self) -> u32 {
        *self
    }
}
impl Numbered for Text {
    fn of(number: u32) -> Text {
        let (shelf, book) = (number / 64, number / 3);
        // The first of a shelf is a prefix of all others there.
        let mut bytes = format!("/registry/{shelf:04}/").into_bytes();
        bytes.extend((0..shelf % 7).map(|_| 0));
        if number % 64 > 2 {
            bytes.extend(book.to_be_bytes());
        }
        Text(bytes, number)
    }
    fn number(&self) -> u32 {
        self.1
    }
}

/// Checks everything that `node.rs` promises; returns the depth.
fn sound<K: Key + fmt::Debug, V: Counted>(tree: &Tree<K, V>) {
    fn walk<K: Key + fmt::Debug, V: Counted>(
        node: &Node<K, V>,
        is_root: bool,
        at_end: bool,
        measure: Measure,
    ) -> (usize, Option<K>) {
        assert_eq!(node.measure(), measure);
        assert!(node.width() <= MOST);
        assert!(is_root || at_end || node.width() >= LEAST, "{} is too few", node.width());
        assert!(is_root || node.width() > 0);
        match node {
            Node::Leaf(leaf) => {
                leaf.assert_heads();
                assert!(leaf.keys.is_sorted_by(|a, b| a < b));
                assert_eq!(leaf.keys.len(), leaf.values.len());
                (0, leaf.keys.first().cloned())
            }
            Node::Branch(branch) => {
                assert_eq!(branch.firsts.len() + 1, branch.children.len());
                assert!(branch.firsts.is_sorted_by(|a, b| a < b));
                let last = branch.children.len() - 1;
                let below: Vec<_> = (branch.children.iter().enumerate())
                    .map(|(at, child)| walk(&child.node, false, at_end && at == last, child.measure))
                    .collect();
                for (at, (depth, first)) in below.iter().enumerate() {
                    assert_eq!(*depth, below[0].0);
                    if at > 0 {
                        assert_eq!(first.as_ref(), Some(&branch.firsts[at - 1]));
                    }
                }
                (below[0].0 + 1, below[0].1.clone())
            }
        }
    }
    walk(&tree.root, true, true, tree.measure);
}

fn same<K: Numbered>(tree: &Tree<K, Odd>, model: &BTreeMap<u32, u32>) {
    sound(tree);
    assert_eq!(tree.len(), model.len());
    assert!(tree.iter().map(|(k, v)| (k.number(), v.0)).eq(model.iter().map(|(k, v)| (*k, *v))));
    assert!(tree.iter().rev().map(|(k, v)| (k.number(), v.0)).eq(model.iter().rev().map(|(k, v)| (*k, *v))));
    assert_eq!(tree.counted(), model.values().filter(|v| **v % 2 == 1).count());
}

fn same_interval<K: Numbered>(tree: &Tree<K, Odd>, model: &BTreeMap<u32, u32>, low: u32, high: u32) {
    let (first, end) = (&K::of(low), &K::of(high));
    let inside: Vec<(u32, u32)> =
        if low < high { model.range(low..high).map(|(k, v)| (*k, *v)).collect() } else { Vec::new() };
    let odd: Vec<(u32, u32)> = inside.iter().copied().filter(|(_, v)| v % 2 == 1).collect();
    let pairs = |iter: Iter<'_, K, Odd>| iter.map(|(k, v)| (k.number(), v.0)).collect::<Vec<_>>();
    assert_eq!(pairs(tree.range(|k: &K| k < first, |k: &K| k < end)), inside);
    assert_eq!(pairs(tree.range(Before(first), Before(end))), inside);
    assert_eq!(pairs(tree.range_counted(Before(first), |k: &K| k < end)), odd);
    assert_eq!(tree.count_range(|k: &K| k < first, Before(end)), odd.len());
    assert_eq!(tree.range_counted(Before(first), Before(end)).len(), odd.len());
    // From both ends at once: two from the front, one from the back.
    let mut iter = tree.range_counted(Before(first), Before(end));
    let mut expected = odd.iter();
    for turn in 0..=odd.len() {
        let (got, want) = if turn % 3 == 2 {
            (iter.next_back(), expected.next_back())
        } else {
            (iter.next(), expected.next())
        };
        assert_eq!(got.map(|(k, v)| (k.number(), v.0)), want.copied());
    }
    let floor = model.range(..=low).next_back().map(|(k, _)| *k);
    assert_eq!(tree.floor(|k: &K| k <= first).map(|(k, _)| k.number()), floor);
    assert_eq!(tree.floor(Behind(first)).map(|(k, _)| k.number()), floor);
    let rank = model.range(..low).count();
    assert_eq!(tree.rank(Before(first)), rank);
    let mut skipping = tree.iter();
    skipping.skip_to(Before(first));
    assert_eq!(skipping.next().map(|(k, _)| k.number()), model.range(low..).next().map(|(k, _)| *k));
    assert_eq!(tree.nth(rank).map(|(k, _)| k.number()), model.range(low..).next().map(|(k, _)| *k));
    let odd_rank = model.range(..low).filter(|(_, v)| **v % 2 == 1).count();
    assert_eq!(
        tree.nth_counted(odd_rank).map(|(k, _)| k.number()),
        model.range(low..).find(|(_, v)| **v % 2 == 1).map(|(k, _)| *k)
    );
    let from_rank = tree.iter().nth(rank).map(|(k, _)| k.number());
    assert_eq!(from_rank, model.range(low..).next().map(|(k, _)| *k));
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u32, u32),
    /// Insert and set the value of the entry before.
    InsertAfter(u32, u32, u32),
    Append(u32),
    Remove(u32),
    /// Remove the entry of this rank, so that removals meet something in a sparse tree.
    RemoveNth(usize),
    RemoveBetween(u32, u32),
    Edit(u32, u32),
    Snapshot,
    Look(u32, u32),
}

fn op(keys: u32) -> impl Strategy<Value = Op> {
    let key = 0..keys;
    prop_oneof![
        8 => (key.clone(), 0..100u32).prop_map(|(k, v)| Op::Insert(k, v)),
        3 => (key.clone(), 0..100u32, 0..100u32).prop_map(|(k, v, w)| Op::InsertAfter(k, v, w)),
        3 => (0..100u32).prop_map(Op::Append),
        3 => key.clone().prop_map(Op::Remove),
        6 => any::<usize>().prop_map(Op::RemoveNth),
        1 => (key.clone(), 0..60u32).prop_map(|(k, n)| Op::RemoveBetween(k, k.saturating_add(n))),
        2 => (key.clone(), 0..100u32).prop_map(|(k, v)| Op::Edit(k, v)),
        1 => Just(Op::Snapshot),
        2 => (key.clone(), key).prop_map(|(a, b)| Op::Look(a, b)),
    ]
}

fn play<K: Numbered>(ops: Vec<Op>, seeded: u32) {
    let mut model: BTreeMap<u32, u32> = (0..seeded).map(|n| (n * 7, n)).collect();
    let mut tree: Tree<K, Odd> = model.iter().map(|(k, v)| (K::of(*k), Odd(*v))).collect();
    let mut snapshots = Vec::new();
    for op in ops {
        match op {
            Op::Insert(k, v) => assert_eq!(tree.insert(K::of(k), Odd(v)).map(|v| v.0), model.insert(k, v)),
            Op::InsertAfter(k, v, w) => {
                let mut shown = None;
                let replaced = tree.insert_after(K::of(k), Odd(v), |before, value| {
                    shown = Some(before.number());
                    *value = Odd(w);
                });
                if replaced.is_none() {
                    assert_eq!(shown, model.range(..k).next_back().map(|(k, _)| *k));
                    if let Some((_, value)) = model.range_mut(..k).next_back() {
                        *value = w;
                    }
                } else {
                    assert_eq!(shown, None);
                }
                assert_eq!(replaced.map(|v| v.0), model.insert(k, v));
            }
            Op::Append(v) => {
                let k = model.last_key_value().map_or(0, |(k, _)| k + 1);
                assert_eq!(tree.insert(K::of(k), Odd(v)), None);
                model.insert(k, v);
            }
            Op::Remove(k) => assert_eq!(tree.remove(&K::of(k)).map(|(_, v)| v.0), model.remove(&k)),
            Op::RemoveNth(n) if !model.is_empty() => {
                let k = *model.keys().nth(n % model.len()).expect("below the length");
                assert_eq!(tree.remove(&K::of(k)).map(|(k, v)| (k.number(), v.0)), model.remove_entry(&k));
            }
            Op::RemoveNth(_) => {}
            Op::RemoveBetween(a, b) => {
                let keys: Vec<u32> = model.range(a..b).map(|(k, _)| *k).collect();
                for k in keys {
                    assert_eq!(tree.remove(&K::of(k)).map(|(_, v)| v.0), model.remove(&k));
                }
            }
            Op::Edit(k, v) => {
                let before = tree.edit(&K::of(k), |value| core::mem::replace(value, Odd(v)));
                assert_eq!(before.map(|v| v.0), model.get_mut(&k).map(|value| core::mem::replace(value, v)));
            }
            Op::Snapshot => snapshots.push((tree.clone(), model.clone())),
            Op::Look(a, b) => same_interval(&tree, &model, a, b),
        }
        assert_eq!(tree.len(), model.len());
    }
    same(&tree, &model);
    for (tree, model) in snapshots {
        same(&tree, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_tree_is_a_map_and_its_clones_never_change(
        seeded in prop_oneof![Just(0u32), Just(40), Just(1500)],
        ops in proptest::collection::vec(op(3000), 0..600),
    ) {
        play::<Text>(ops.clone(), seeded);
        play::<u32>(ops, seeded);
    }

    #[test]
    fn a_dense_tree_that_is_emptied_and_filled_stays_sound(ops in proptest::collection::vec(op(90), 0..900)) {
        play::<Text>(ops.clone(), 0);
        play::<u32>(ops, 0);
    }
}

#[test]
fn appending_leaves_full_leaves_behind() {
    let tree: Tree<u32, ()> = (0..10_000).map(|n| (n, ())).collect();
    sound(&tree);
    fn leaves(node: &Node<u32, ()>) -> usize {
        match node {
            Node::Leaf(_) => 1,
            Node::Branch(branch) => branch.children.iter().map(|child| leaves(&child.node)).sum(),
        }
    }
    assert_eq!(leaves(&tree.root), 10_000_usize.div_ceil(MOST));
}

#[test]
fn everything_can_be_taken_out_from_either_end() {
    for from_front in [true, false] {
        let mut tree: Tree<u32, ()> = (0..5_000).map(|n| (n, ())).collect();
        while let Some((key, ())) = if from_front { tree.first() } else { tree.last() } {
            let key = *key;
            assert_eq!(tree.remove(&key), Some((key, ())));
            if key % 97 == 0 {
                sound(&tree);
            }
        }
        sound(&tree);
        assert!(tree.is_empty());
    }
}

#[test]
fn a_change_copies_one_path_and_the_next_change_there_copies_nothing() {
    let mut tree: Tree<u32, Odd> = (0..20_000).map(|n| (n, Odd(n))).collect();
    let snapshot = tree.clone();
    let nodes = |tree: &Tree<u32, Odd>| {
        fn walk(node: &Arc<Node<u32, Odd>>, into: &mut Vec<*const Node<u32, Odd>>) {
            into.push(Arc::as_ptr(node));
            if let Node::Branch(branch) = &**node {
                branch.children.iter().for_each(|child| walk(&child.node, into));
            }
        }
        let mut all = Vec::new();
        walk(&tree.root, &mut all);
        all
    };
    let before = nodes(&tree);
    tree.insert(7_000, Odd(1));
    let after = nodes(&tree);
    let copied = after.iter().filter(|node| !before.contains(node)).count();
    assert!((2..=4).contains(&copied), "{copied} nodes were copied");
    tree.insert(7_001, Odd(1));
    assert_eq!(nodes(&tree), after);
    assert_eq!(snapshot.get(&7_000), Some(&Odd(7_000)));
}
