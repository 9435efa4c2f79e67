//! Walking an interval from both ends.
//!
//! An iterator is two ranks and the leaves they stand in; when a leaf is used up the next one is found by its rank,
//! which costs a walk down the tree per leaf and no memory.
use super::{
    Counted, Key, Probe,
    node::{Measure, Node, Place},
};

/// A walk over an interval of a tree, double-ended, of known length.
pub struct Iter<'a, K: Key, V> {
    root: &'a Node<K, V>,
    select: fn(&'a Node<K, V>, usize) -> Place<'a, K, V>,
    seen: fn(&V) -> bool,
    size: fn(Measure) -> usize,
    /// The ranks of the next entry from the front and of the one after the next from the back.
    next: usize,
    end: usize,
    /// The leaf in front and the first place in it that was not looked at yet.
    front: Option<Place<'a, K, V>>,
    /// The leaf at the back and how many places in it were not looked at yet.
    back: Option<Place<'a, K, V>>,
}

impl<K: Key, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Iter { ..*self }
    }
}

impl<'a, K: Key, V> Iter<'a, K, V> {
    pub(super) fn items(root: &'a Node<K, V>, next: usize, end: usize) -> Self {
        Iter {
            root,
            select: Node::select_item,
            seen: |_| true,
            size: |measure| measure.items,
            next,
            end: end.max(next),
            front: None,
            back: None,
        }
    }

    pub(super) fn counted(root: &'a Node<K, V>, next: usize, end: usize) -> Self
    where
        V: Counted,
    {
        Iter {
            root,
            select: Node::select_counted,
            seen: V::counts,
            size: |measure| measure.counted,
            next,
            end: end.max(next),
            front: None,
            back: None,
        }
    }

    /// Goes on with the first entry, among those still to come, behind a cut.
    pub fn skip_to(&mut self, before: impl Probe<K>)
    where
        V: Counted,
    {
        let rank = (self.size)(self.root.rank(&before));
        if rank > self.next {
            self.next = rank.min(self.end);
            self.front = None;
        }
    }
}

impl<'a, K: Key, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        let in_leaf = self.front.and_then(|(leaf, from)| {
            let at = from + leaf.values[from..].iter().position(|value| (self.seen)(value))?;
            Some((leaf, at))
        });
        let (leaf, at) = in_leaf.unwrap_or_else(|| (self.select)(self.root, self.next));
        self.front = Some((leaf, at + 1));
        self.next += 1;
        Some(leaf.entry(at))
    }

    fn nth(&mut self, n: usize) -> Option<Self::Item> {
        if n > 0 {
            self.next = self.next.saturating_add(n).min(self.end);
            self.front = None;
        }
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl<K: Key, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        self.end -= 1;
        let in_leaf = self.back.and_then(|(leaf, upto)| {
            let at = leaf.values[..upto].iter().rposition(|value| (self.seen)(value))?;
            Some((leaf, at))
        });
        let (leaf, at) = in_leaf.unwrap_or_else(|| (self.select)(self.root, self.end));
        self.back = Some((leaf, at));
        Some(leaf.entry(at))
    }
}

impl<K: Key, V> ExactSizeIterator for Iter<'_, K, V> {}
