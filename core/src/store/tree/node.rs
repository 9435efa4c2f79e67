//! Leaves and branches: how an entry finds its place, and how nodes split and merge.
//!
//! What always holds: every leaf is equally deep; a branch's `firsts[i]` equals the first key under `children[i + 1]`;
//! every node but the root has at least `LEAST` entries or children, except along the right edge of the tree, where
//! appending leaves full nodes behind instead of halves.
use super::search::Head;
use super::{
    Counted, Key, Probe,
    search::{self, Before, Behind},
};
use alloc::{sync::Arc, vec, vec::Vec};

/// Most entries of a leaf, most children of a branch. Larger nodes make a shallower tree and a dearer copy.
pub(super) const MOST: usize = 32;
/// A node that falls below this is merged with its neighbour, or takes from it.
pub(super) const LEAST: usize = MOST / 4;

/// How many entries there are somewhere, and how many of them count. Differences of measures wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    pub items: usize,
    pub counted: usize,
}

impl Measure {
    pub fn of(value: &impl Counted) -> Measure {
        Measure { items: 1, counted: usize::from(value.counts()) }
    }
    pub fn plus(self, other: Measure) -> Measure {
        Measure {
            items: self.items.wrapping_add(other.items),
            counted: self.counted.wrapping_add(other.counted),
        }
    }
    pub fn minus(self, other: Measure) -> Measure {
        Measure {
            items: self.items.wrapping_sub(other.items),
            counted: self.counted.wrapping_sub(other.counted),
        }
    }
}

pub(super) enum Node<K: Key, V> {
    Leaf(Leaf<K, V>),
    Branch(Branch<K, V>),
}

/// Entries, ascending by key. Keys and values stand apart because values are small.
pub(super) struct Leaf<K: Key, V> {
    /// All keys share this many bytes, or more.
    skip: usize,
    heads: Vec<K::Head>,
    pub keys: Vec<K>,
    pub values: Vec<V>,
}

/// A leaf and a place in it.
pub(super) type Place<'a, K, V> = (&'a Leaf<K, V>, usize);

pub(super) struct Branch<K: Key, V> {
    /// The first key of every child but the first, with heads behind the bytes they share. Copies of the branch share
    /// them: they change only when nodes split or merge.
    pub firsts: Arc<[K]>,
    skip: usize,
    heads: Arc<[K::Head]>,
    pub children: Vec<Child<K, V>>,
}

pub(super) struct Child<K: Key, V> {
    pub node: Arc<Node<K, V>>,
    pub measure: Measure,
}

impl<K: Key, V> Clone for Child<K, V> {
    fn clone(&self) -> Self {
        Child { node: self.node.clone(), measure: self.measure }
    }
}

impl<K: Key, V: Clone> Clone for Node<K, V> {
    /// The copy is made to be changed, so its lists have room for a few more.
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(leaf) => Node::Leaf(Leaf {
                skip: leaf.skip,
                heads: roomy(&leaf.heads),
                keys: roomy(&leaf.keys),
                values: roomy(&leaf.values),
            }),
            Node::Branch(branch) => Node::Branch(Branch {
                firsts: branch.firsts.clone(),
                skip: branch.skip,
                heads: branch.heads.clone(),
                children: roomy(&branch.children),
            }),
        }
    }
}

/// Lists grow in steps of this instead of doubling: most memory of a large tree is in half-full lists.
const STEP: usize = 8;

fn roomy<T: Clone>(list: &[T]) -> Vec<T> {
    let mut copy = Vec::with_capacity((list.len() / STEP + 1) * STEP);
    copy.extend_from_slice(list);
    copy
}

fn insert_at<T>(list: &mut Vec<T>, at: usize, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(STEP);
    }
    list.insert(at, item);
}

/// Cuts the list; both parts keep only a step of spare room.
fn cut<T>(list: &mut Vec<T>, at: usize) -> Vec<T> {
    let right = list.split_off(at);
    list.shrink_to((at / STEP + 1) * STEP);
    right
}

/// The new right neighbour of a node that was full.
pub(super) struct Split<K: Key, V> {
    pub first: K,
    pub right: Child<K, V>,
}

pub(super) struct Inserted<K: Key, V> {
    pub replaced: Option<V>,
    /// How the measure of the whole subtree, split or not, has changed.
    pub change: Measure,
    pub split: Option<Split<K, V>>,
}

pub(super) struct Removed<K, V> {
    pub key: K,
    pub value: V,
    /// The new first key of the subtree, if the one before is gone and something is left.
    first: Option<K>,
}

impl<K: Key, V> Leaf<K, V> {
    fn of(keys: Vec<K>, values: Vec<V>) -> Self {
        let (skip, heads) = search::heads(&keys);
        Leaf { skip, heads, keys, values }
    }

    #[cfg(test)]
    pub fn assert_heads(&self) {
        let shares = |key: &K| key.bytes()[..self.skip] == self.keys[0].bytes()[..self.skip];
        assert!(self.keys.iter().all(shares));
        assert!(self.heads == search::heads_behind(&self.keys, self.skip));
    }

    /// How many entries are before the cut.
    fn cut(&self, probe: &impl Probe<K>) -> usize {
        search::cut(&self.keys, &self.heads, self.skip, probe)
    }

    /// After the keys have changed at will.
    fn renew_heads(&mut self) {
        (self.skip, self.heads) = search::heads(&self.keys);
    }

    /// After this key came in.
    fn add_head(&mut self, at: usize) {
        let key = &self.keys[at];
        // Any other will do to see whether the new one shares what all others do.
        let other = if at == 0 { self.keys.last() } else { self.keys.first() };
        let shared = other.map_or(0, |other| search::shared(key, other));
        if shared < self.skip {
            self.skip = shared;
            self.heads = search::heads_behind(&self.keys, shared);
        } else {
            insert_at(&mut self.heads, at, K::Head::of(key.bytes(), self.skip));
        }
    }

    pub fn entry(&self, at: usize) -> (&K, &V) {
        (&self.keys[at], &self.values[at])
    }
}

impl<K: Key, V> Branch<K, V> {
    fn of(firsts: Vec<K>, children: Vec<Child<K, V>>) -> Self {
        let (skip, heads) = search::heads(&firsts);
        Branch { firsts: firsts.into(), skip, heads: heads.into(), children }
    }

    /// The child in which the cut is.
    fn child_at(&self, probe: &impl Probe<K>) -> usize {
        search::cut(&self.firsts, &self.heads, self.skip, probe)
    }

    fn change_firsts(&mut self, change: impl FnOnce(&mut Vec<K>)) {
        let mut firsts = self.firsts.to_vec();
        change(&mut firsts);
        self.set_firsts(firsts);
    }

    fn set_firsts(&mut self, firsts: Vec<K>) {
        let (skip, heads) = search::heads(&firsts);
        self.firsts = firsts.into();
        self.skip = skip;
        self.heads = heads.into();
    }
}

impl<K: Key, V> Node<K, V> {
    pub fn empty() -> Self {
        Node::Leaf(Leaf::of(Vec::new(), Vec::new()))
    }

    /// A new root over what was the root and its new neighbour.
    pub fn root_of(left: Arc<Node<K, V>>, split: Split<K, V>) -> Self
    where
        V: Counted,
    {
        let measure = left.measure();
        let children = vec![Child { node: left, measure }, split.right];
        Node::Branch(Branch::of(vec![split.first], children))
    }

    /// Entries of a leaf, children of a branch.
    pub fn width(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.keys.len(),
            Node::Branch(branch) => branch.children.len(),
        }
    }

    pub fn measure(&self) -> Measure
    where
        V: Counted,
    {
        match self {
            Node::Leaf(leaf) => Measure {
                items: leaf.keys.len(),
                counted: leaf.values.iter().filter(|value| value.counts()).count(),
            },
            Node::Branch(branch) => {
                branch.children.iter().fold(Measure::default(), |sum, child| sum.plus(child.measure))
            }
        }
    }

    pub fn floor(&self, upto: &impl Probe<K>) -> Option<(&K, &V)> {
        let mut node = self;
        loop {
            match node {
                Node::Branch(branch) => node = &branch.children[branch.child_at(upto)].node,
                // A leaf's first key is the one its branch routed by, so only the very first leaf can come out empty.
                Node::Leaf(leaf) => {
                    return leaf.cut(upto).checked_sub(1).map(|at| leaf.entry(at));
                }
            }
        }
    }

    /// The measure of the entries before the cut.
    pub fn rank(&self, before: &impl Probe<K>) -> Measure
    where
        V: Counted,
    {
        let mut sum = Measure::default();
        let mut node = self;
        loop {
            match node {
                Node::Branch(branch) => {
                    let at = branch.child_at(before);
                    sum = branch.children[..at].iter().fold(sum, |sum, child| sum.plus(child.measure));
                    node = &branch.children[at].node;
                }
                Node::Leaf(leaf) => {
                    let items = leaf.cut(before);
                    let counted = leaf.values[..items].iter().filter(|value| value.counts()).count();
                    return sum.plus(Measure { items, counted });
                }
            }
        }
    }

    /// The leaf that holds the entry with `rank` entries before it, and where in the leaf.
    pub fn select_item(&self, mut rank: usize) -> Place<'_, K, V> {
        let mut node = self;
        loop {
            match node {
                Node::Branch(branch) => {
                    node = descend(branch, &mut rank, |measure| measure.items);
                }
                Node::Leaf(leaf) => return (leaf, rank),
            }
        }
    }

    /// Like [`Node::select_item`], among the entries that count.
    pub fn select_counted(&self, mut rank: usize) -> Place<'_, K, V>
    where
        V: Counted,
    {
        let mut node = self;
        loop {
            match node {
                Node::Branch(branch) => {
                    node = descend(branch, &mut rank, |measure| measure.counted);
                }
                Node::Leaf(leaf) => {
                    let mut counting = (0..leaf.values.len()).filter(|at| leaf.values[*at].counts());
                    let at = counting.nth(rank).expect("the branch above said that so many entries count");
                    return (leaf, at);
                }
            }
        }
    }

    /// The child of a branch that has only one.
    pub fn only_child(&self) -> Option<Arc<Node<K, V>>> {
        match self {
            Node::Branch(branch) => match &branch.children[..] {
                [] => Some(Arc::new(Node::empty())),
                [child] => Some(child.node.clone()),
                _ => None,
            },
            Node::Leaf(_) => None,
        }
    }
}

/// The child in which the entry with `rank` entries before it lies; `rank` becomes its rank in there.
fn descend<'a, K: Key, V>(
    branch: &'a Branch<K, V>,
    rank: &mut usize,
    size: impl Fn(Measure) -> usize,
) -> &'a Node<K, V> {
    for child in &branch.children {
        let here = size(child.measure);
        if *rank < here {
            return &child.node;
        }
        *rank -= here;
    }
    unreachable!("a rank is below the measure of the node it is looked up in")
}

impl<K: Key, V: Counted + Clone> Node<K, V> {
    /// `at_end`: this node is on the right edge of the tree.
    pub fn insert(
        this: &mut Arc<Self>,
        key: K,
        value: V,
        at_end: bool,
        edit: impl FnOnce(&K, &mut V),
    ) -> Inserted<K, V> {
        match Arc::make_mut(this) {
            Node::Leaf(leaf) => leaf.insert(key, value, at_end, edit),
            Node::Branch(branch) => {
                let at = branch.child_at(&Behind(&key));
                let child_at_end = at_end && at + 1 == branch.children.len();
                let child = &mut branch.children[at];
                let inserted = Node::insert(&mut child.node, key, value, child_at_end, edit);
                child.measure = child.measure.plus(inserted.change);
                let Some(Split { first, right }) = inserted.split else { return inserted };
                child.measure = child.measure.minus(right.measure);
                insert_at(&mut branch.children, at + 1, right);
                branch.change_firsts(|firsts| firsts.insert(at, first));
                Inserted { split: branch.split_if_full(at_end), ..inserted }
            }
        }
    }

    /// Changes the value of the last entry before the cut.
    pub fn edit<R>(
        this: &mut Arc<Self>,
        upto: &impl Probe<K>,
        change: impl FnOnce(&mut V) -> R,
    ) -> Option<(R, Measure)> {
        match Arc::make_mut(this) {
            Node::Leaf(leaf) => {
                let at = leaf.cut(upto).checked_sub(1)?;
                let value = &mut leaf.values[at];
                let before = Measure::of(value);
                let result = change(value);
                Some((result, Measure::of(value).minus(before)))
            }
            Node::Branch(branch) => {
                let at = branch.child_at(upto);
                let child = &mut branch.children[at];
                let (result, change) = Node::edit(&mut child.node, upto, change)?;
                child.measure = child.measure.plus(change);
                Some((result, change))
            }
        }
    }

    /// Takes out the last entry before the cut.
    pub fn remove(this: &mut Arc<Self>, upto: &impl Probe<K>) -> Option<Removed<K, V>> {
        match Arc::make_mut(this) {
            Node::Leaf(leaf) => {
                let at = leaf.cut(upto).checked_sub(1)?;
                let key = leaf.keys.remove(at);
                let value = leaf.values.remove(at);
                leaf.heads.remove(at);
                let first = if at == 0 { leaf.keys.first().cloned() } else { None };
                Some(Removed { key, value, first })
            }
            Node::Branch(branch) => {
                let at = branch.child_at(upto);
                let child = &mut branch.children[at];
                let mut removed = Node::remove(&mut child.node, upto)?;
                child.measure = child.measure.minus(Measure::of(&removed.value));
                let width = child.node.width();
                if at > 0
                    && let Some(first) = removed.first.take()
                {
                    branch.change_firsts(|firsts| firsts[at - 1] = first);
                }
                if width == 0 {
                    branch.children.remove(at);
                    if at > 0 {
                        branch.change_firsts(|firsts| drop(firsts.remove(at - 1)));
                    } else if !branch.firsts.is_empty() {
                        branch.change_firsts(|firsts| removed.first = Some(firsts.remove(0)));
                    }
                } else if width < LEAST && branch.children.len() > 1 {
                    branch.level(at.saturating_sub(1));
                }
                Some(removed)
            }
        }
    }
}

impl<K: Key, V: Counted + Clone> Leaf<K, V> {
    fn insert(&mut self, key: K, value: V, at_end: bool, edit: impl FnOnce(&K, &mut V)) -> Inserted<K, V> {
        let mut change = Measure::of(&value);
        let at = self.cut(&Before(&key));
        if self.keys.get(at) == Some(&key) {
            let replaced = core::mem::replace(&mut self.values[at], value);
            change = change.minus(Measure::of(&replaced));
            return Inserted { replaced: Some(replaced), change, split: None };
        }
        // What stands before a new key stands in the same leaf, unless nothing stands before it at all.
        if let Some(before) = at.checked_sub(1) {
            let neighbour = &mut self.values[before];
            let was = Measure::of(neighbour);
            edit(&self.keys[before], neighbour);
            change = change.plus(Measure::of(neighbour)).minus(was);
        }
        insert_at(&mut self.keys, at, key);
        insert_at(&mut self.values, at, value);
        self.add_head(at);
        let split = (self.keys.len() > MOST).then(|| {
            let cut_at = if at_end && at == MOST { MOST } else { MOST / 2 };
            let right = Leaf::of(cut(&mut self.keys, cut_at), cut(&mut self.values, cut_at));
            self.renew_heads();
            let first = right.keys[0].clone();
            let node = Node::Leaf(right);
            Split { first, right: Child { measure: node.measure(), node: Arc::new(node) } }
        });
        Inserted { replaced: None, change, split }
    }
}

impl<K: Key, V: Counted + Clone> Branch<K, V> {
    fn split_if_full(&mut self, at_end: bool) -> Option<Split<K, V>> {
        if self.children.len() <= MOST {
            return None;
        }
        // On the right edge children come one by one at the end: leave a full branch behind.
        let cut_at = if at_end { MOST } else { MOST / 2 };
        let right = Branch::of(self.firsts[cut_at..].to_vec(), cut(&mut self.children, cut_at));
        let first = self.firsts[cut_at - 1].clone();
        self.set_firsts(self.firsts[..cut_at - 1].to_vec());
        let node = Node::Branch(right);
        Some(Split { first, right: Child { measure: node.measure(), node: Arc::new(node) } })
    }

    /// Merges two neighbours into one, or shares what they have if that is too much for one.
    fn level(&mut self, left: usize) {
        let right = Arc::unwrap_or_clone(self.children.remove(left + 1).node);
        let between = self.firsts[left].clone();
        let child = &mut self.children[left];
        let split = match (Arc::make_mut(&mut child.node), right) {
            (Node::Leaf(a), Node::Leaf(b)) => {
                a.keys.extend(b.keys);
                a.values.extend(b.values);
                let split = (a.keys.len() > MOST).then(|| {
                    let middle = a.keys.len() / 2;
                    let right = Leaf::of(cut(&mut a.keys, middle), cut(&mut a.values, middle));
                    (right.keys[0].clone(), Node::Leaf(right))
                });
                a.renew_heads();
                split
            }
            (Node::Branch(a), Node::Branch(b)) => {
                let mut firsts = a.firsts.to_vec();
                firsts.push(between);
                firsts.extend_from_slice(&b.firsts);
                a.children.extend(b.children);
                let split = (a.children.len() > MOST).then(|| {
                    let middle = a.children.len() / 2;
                    let right = firsts.split_off(middle);
                    let first = firsts.pop().expect("half of many is at least one");
                    let children = cut(&mut a.children, middle);
                    (first, Node::Branch(Branch::of(right, children)))
                });
                a.set_firsts(firsts);
                split
            }
            (Node::Leaf(_), Node::Branch(_)) | (Node::Branch(_), Node::Leaf(_)) => {
                unreachable!("all leaves are equally deep")
            }
        };
        child.measure = child.node.measure();
        match split {
            None => self.change_firsts(|firsts| drop(firsts.remove(left))),
            Some((first, node)) => {
                self.change_firsts(|firsts| firsts[left] = first);
                let right = Child { measure: node.measure(), node: Arc::new(node) };
                insert_at(&mut self.children, left + 1, right);
            }
        }
    }
}
