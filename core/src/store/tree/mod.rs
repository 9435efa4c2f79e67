//! A persistent B+tree: cloning it is free, and writing to it copies only what a clone still holds.
//!
//! Everything that is read while it is written lives in one of these. A clone shares every node; the next change
//! copies the nodes on its path, and from then on works in place until the next clone. So one batch of changes
//! copies each node at most once, and a reader's clone never changes. Entries stand in the leaves only; branches
//! know, per child, how many entries there are and how many of them count ([`Counted`]), which makes counting an
//! interval and finding the n-th entry a walk down the tree.
//!
//! Not in here: what the entries mean, and any way to change a key in place.
use alloc::sync::Arc;
use core::{borrow::Borrow, fmt};

mod iter;
mod node;
mod search;
#[cfg(test)]
mod tests;

pub use iter::Iter;
use node::{Measure, Node};
pub use search::{Head, Key, Probe};

/// Which entries count. Those that do not are invisible to the `counted` half of the interface.
pub trait Counted {
    fn counts(&self) -> bool {
        true
    }
}

impl Counted for () {}

/// A sorted map from `K` to `V`.
pub struct Tree<K: Key, V> {
    root: Arc<Node<K, V>>,
    measure: Measure,
}

impl<K: Key, V> Clone for Tree<K, V> {
    fn clone(&self) -> Self {
        Tree { root: self.root.clone(), measure: self.measure }
    }
}

impl<K: Key, V> Default for Tree<K, V> {
    fn default() -> Self {
        Tree { root: Arc::new(Node::empty()), measure: Measure::default() }
    }
}

impl<K: Key + fmt::Debug, V: fmt::Debug> fmt::Debug for Tree<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Key, V> Tree<K, V> {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.measure.items
    }

    pub fn is_empty(&self) -> bool {
        self.measure.items == 0
    }

    /// How many entries count.
    pub fn counted(&self) -> usize {
        self.measure.counted
    }

    pub fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    pub fn last(&self) -> Option<(&K, &V)> {
        self.iter().next_back()
    }

    /// Every entry, ascending.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter::items(&self.root, 0, self.measure.items)
    }

    /// The last entry before a cut.
    pub fn floor(&self, upto: impl Probe<K>) -> Option<(&K, &V)> {
        self.root.floor(&upto)
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (found, value) = self.floor(|k: &K| k.borrow() <= key)?;
        (found.borrow() == key).then_some(value)
    }

    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }
}

impl<K: Key, V: Counted> Tree<K, V> {
    /// How many entries stand before a cut.
    pub fn rank(&self, before: impl Probe<K>) -> usize {
        self.root.rank(&before).items
    }

    /// The entry with `rank` entries before it.
    pub fn nth(&self, rank: usize) -> Option<(&K, &V)> {
        (rank < self.len()).then(|| {
            let (leaf, at) = self.root.select_item(rank);
            leaf.entry(at)
        })
    }

    /// The entry that counts and has `rank` entries that count before it.
    pub fn nth_counted(&self, rank: usize) -> Option<(&K, &V)> {
        (rank < self.counted()).then(|| {
            let (leaf, at) = self.root.select_counted(rank);
            leaf.entry(at)
        })
    }

    /// How many entries that count stand before a cut.
    pub fn rank_counted(&self, before: impl Probe<K>) -> usize {
        self.root.rank(&before).counted
    }

    /// The entries between two cuts.
    pub fn range(&self, before: impl Probe<K>, within: impl Probe<K>) -> Iter<'_, K, V> {
        Iter::items(&self.root, self.rank(before), self.rank(within))
    }

    /// Like [`Tree::range`], but only the entries that count.
    pub fn range_counted(&self, before: impl Probe<K>, within: impl Probe<K>) -> Iter<'_, K, V> {
        Iter::counted(&self.root, self.rank_counted(before), self.rank_counted(within))
    }

    /// How many entries that count [`Tree::range_counted`] would give, without giving them.
    pub fn count_range(&self, before: impl Probe<K>, within: impl Probe<K>) -> usize {
        self.rank_counted(within).saturating_sub(self.rank_counted(before))
    }
}

impl<K: Key, V: Counted + Clone> Tree<K, V> {
    /// Puts an entry in its place; the value that was there, if any.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.insert_after(key, value, |_, _| ())
    }

    /// Like [`Tree::insert`]; when the key is new, the entry just before it is shown to `edit` on the way, which may
    /// change its value.
    pub fn insert_after(&mut self, key: K, value: V, edit: impl FnOnce(&K, &mut V)) -> Option<V> {
        let inserted = Node::insert(&mut self.root, key, value, true, edit);
        if let Some(split) = inserted.split {
            let left = core::mem::replace(&mut self.root, Arc::new(Node::empty()));
            self.root = Arc::new(Node::root_of(left, split));
        }
        self.measure = self.measure.plus(inserted.change);
        inserted.replaced
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        // Looking first keeps a miss from copying nodes.
        self.get(key)?;
        self.remove_floor(|k: &K| k.borrow() <= key)
    }

    /// Takes out the last entry before a cut.
    pub fn remove_floor(&mut self, upto: impl Probe<K>) -> Option<(K, V)> {
        let removed = Node::remove(&mut self.root, &upto)?;
        while let Some(child) = self.root.only_child() {
            self.root = child;
        }
        self.measure = self.measure.minus(Measure::of(&removed.value));
        Some((removed.key, removed.value))
    }

    /// Changes a value in place, if the key is there.
    pub fn edit<Q: Ord + ?Sized, R>(&mut self, key: &Q, change: impl FnOnce(&mut V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
    {
        self.get(key)?;
        let (result, change) = Node::edit(&mut self.root, &|k: &K| k.borrow() <= key, change)?;
        self.measure = self.measure.plus(change);
        Some(result)
    }
}

impl<K: Key, V: Counted + Clone> FromIterator<(K, V)> for Tree<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut tree = Tree::new();
        for (key, value) in entries {
            tree.insert(key, value);
        }
        tree
    }
}
