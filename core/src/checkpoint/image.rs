//! A view as one bbolt file, written from its first page to its last.
//!
//! Where each page will stand is settled before the first is written: one walk over the rows adds up their sizes. Leaves
//! come first in each bucket, then the branches above them, the root bucket comes last. Pages are filled as full as they
//! get; a row that is longer than a page has pages of its own. Small buckets stand in their value in the root bucket,
//! as bbolt has them. Free pages there are none.
use super::{
    Stand, View,
    contents::{Bucket, Contents, Row, Rows},
    page::{self, BUCKET, ELEMENT, HEADER, Header, INLINE_MAX, IS_BUCKET, Meta, PAGE},
};
use alloc::{boxed::Box, vec::Vec};

/// The pages of metadata at the beginning.
const METAS: u64 = 2;

/// The file in the making; what it has given out so far is its beginning.
#[derive(Debug)]
pub struct Image {
    contents: Contents,
    /// The trees in the order of their pages: those buckets that are too large for the root bucket's, then that one.
    trees: Vec<Tree>,
    /// The rows of the root bucket: names and what they lead to.
    root: Vec<(Vec<u8>, Vec<u8>)>,
    pages: u64,
    cursor: Cursor,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Cursor {
    Metas,
    Node { tree: usize, level: usize, node: usize },
    End,
}

/// The pages of one bucket; `None` is the root bucket.
#[derive(Debug)]
struct Tree {
    bucket: Option<Bucket>,
    /// Leaves first; the last level has one node.
    levels: Vec<Vec<Node>>,
}

/// One leaf or branch.
#[derive(Clone, Copy, Debug)]
struct Node {
    page: u64,
    /// Further pages behind the first.
    overflow: u32,
    /// A leaf's first row, a branch's first child.
    first: usize,
    /// Rows or children.
    count: u16,
    /// Length of the first key below.
    key_len: u32,
}

impl Image {
    /// Settles where everything goes: a walk over all rows.
    pub fn new(view: View, stand: &Stand) -> Image {
        let mut image = Image {
            contents: Contents::new(view, stand),
            trees: Vec::new(),
            root: Vec::new(),
            pages: METAS,
            cursor: Cursor::Metas,
        };
        let mut inner = Vec::new();
        for bucket in Bucket::ALL {
            let mut value = Vec::new();
            if image.is_small(bucket) {
                value.extend_from_slice(&[0; BUCKET]);
                image.leaf(Some(bucket), (0, 0), 0, usize::MAX, &mut value);
            } else {
                let tree = image.plan(Some(bucket));
                value.extend_from_slice(&tree.root().to_le_bytes());
                value.extend_from_slice(&0u64.to_le_bytes());
                inner.push(tree);
            }
            image.root.push((bucket.name().as_bytes().to_vec(), value));
        }
        let root = image.plan(None);
        image.trees = inner;
        image.trees.push(root);
        image
    }

    /// The length of the whole file, in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a file has metadata at least")]
    pub fn len(&self) -> u64 {
        self.pages * PAGE as u64
    }

    /// Appends the next pages in file order, about as many as `bytes_max` holds, but at least one. False, and nothing
    /// is appended, behind the last.
    pub fn next(&mut self, bytes_max: usize, into: &mut Vec<u8>) -> bool {
        let start = into.len();
        loop {
            match self.cursor {
                Cursor::End => break,
                Cursor::Metas => self.metas(into),
                Cursor::Node { tree, level, node } => self.node(tree, level, node, into),
            }
            self.cursor = self.behind(self.cursor);
            if into.len() - start + PAGE > bytes_max {
                break;
            }
        }
        into.len() > start
    }

    fn behind(&self, cursor: Cursor) -> Cursor {
        let (tree, level, node) = match cursor {
            Cursor::End => return Cursor::End,
            Cursor::Metas => return Cursor::Node { tree: 0, level: 0, node: 0 },
            Cursor::Node { tree, level, node } => (tree, level, node + 1),
        };
        let levels = &self.trees[tree].levels;
        if node < levels[level].len() {
            Cursor::Node { tree, level, node }
        } else if level + 1 < levels.len() {
            Cursor::Node { tree, level: level + 1, node: 0 }
        } else if tree + 1 < self.trees.len() {
            Cursor::Node { tree: tree + 1, level: 0, node: 0 }
        } else {
            Cursor::End
        }
    }

    fn rows(&self, bucket: Option<Bucket>, from: usize) -> Rows<'_> {
        match bucket {
            Some(bucket) => self.contents.rows(bucket, from),
            None => {
                let rows = self.root.iter().enumerate().skip(from);
                Box::new(rows.map(|(at, (name, value))| (at, Row::Pair(name, value))))
            }
        }
    }

    /// Whether bbolt itself would keep this bucket in its value.
    fn is_small(&self, bucket: Bucket) -> bool {
        let mut size = HEADER;
        self.rows(Some(bucket), 0).all(|(_, row)| {
            size += row_size(row);
            size <= INLINE_MAX
        })
    }

    fn plan(&mut self, bucket: Option<Bucket>) -> Tree {
        let mut leaves = Level::new(self.pages);
        for (at, row) in self.rows(bucket, 0) {
            leaves.add(at, row.sizes().0, row_size(row));
        }
        leaves.close();
        self.pages = leaves.next_page;
        let mut levels = Vec::from([leaves.nodes]);
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let mut branches = Level::new(self.pages);
            for (at, child) in below.iter().enumerate() {
                branches.add(at, child.key_len as usize, ELEMENT + child.key_len as usize);
            }
            branches.close();
            self.pages = branches.next_page;
            levels.push(branches.nodes);
        }
        Tree { bucket, levels }
    }

    fn metas(&self, into: &mut Vec<u8>) {
        let root = self.trees.last().expect("the root bucket is the last").root();
        for page in 0..METAS {
            let meta = Meta { page_size: PAGE as u32, root, high_water: self.pages, transaction: page };
            meta.write(page, into);
        }
    }

    fn node(&self, tree: usize, level: usize, node: usize, into: &mut Vec<u8>) {
        let tree = &self.trees[tree];
        let Node { page, overflow, first, count, .. } = tree.levels[level][node];
        let start = into.len();
        if level == 0 {
            self.leaf(tree.bucket, (page, overflow), first, count.into(), into);
        } else {
            Header { id: page, flags: page::BRANCH, count, overflow }.write(into);
            let children = &tree.levels[level - 1][first..first + usize::from(count)];
            let mut distance = children.len() * ELEMENT;
            for child in children {
                into.extend_from_slice(&(distance as u32).to_le_bytes());
                into.extend_from_slice(&child.key_len.to_le_bytes());
                into.extend_from_slice(&child.page.to_le_bytes());
                distance = distance + child.key_len as usize - ELEMENT;
            }
            for child in children {
                let leaf = tree.first_leaf(level - 1, child);
                let (_, row) = self.rows(tree.bucket, leaf.first).next().expect("a leaf has a row");
                row.write_key(into);
            }
        }
        let planned = start + (overflow as usize + 1) * PAGE;
        assert!(into.len() <= planned, "a page takes no more than was planned for it");
        into.resize(planned, 0);
    }

    /// A leaf without anything behind its last row: `count` rows from a place on.
    fn leaf(
        &self,
        bucket: Option<Bucket>,
        (id, overflow): (u64, u32),
        first: usize,
        count: usize,
        into: &mut Vec<u8>,
    ) {
        let rows: Vec<Row<'_>> = self.rows(bucket, first).take(count).map(|(_, row)| row).collect();
        let count = u16::try_from(rows.len()).expect("a page has less than 4096 rows");
        Header { id, flags: page::LEAF, count, overflow }.write(into);
        let flags = if bucket.is_none() { IS_BUCKET } else { 0 };
        let mut distance = rows.len() * ELEMENT;
        for row in &rows {
            let (key, value) = row.sizes();
            let distance_to_key = u32::try_from(distance).expect("a page with overflow has one row");
            for number in [flags, distance_to_key, size(key), size(value)] {
                into.extend_from_slice(&number.to_le_bytes());
            }
            distance = distance + key + value - ELEMENT;
        }
        for row in rows {
            row.write_key(into);
            row.write_value(into);
        }
    }
}

impl Tree {
    fn root(&self) -> u64 {
        self.levels.last().and_then(|level| level.first()).expect("a tree has a root").page
    }

    fn first_leaf<'a>(&'a self, mut level: usize, mut node: &'a Node) -> &'a Node {
        while level > 0 {
            level -= 1;
            node = &self.levels[level][node.first];
        }
        node
    }
}

/// One level of a tree while its pages are dealt out.
struct Level {
    nodes: Vec<Node>,
    next_page: u64,
    open: Option<(Node, usize)>,
}

impl Level {
    fn new(next_page: u64) -> Level {
        Level { nodes: Vec::new(), next_page, open: None }
    }

    /// One more entry of so many bytes, its element included.
    fn add(&mut self, at: usize, key_len: usize, bytes: usize) {
        match &mut self.open {
            Some((node, size)) if *size + bytes <= PAGE => {
                node.count += 1;
                *size += bytes;
            }
            _ => {
                if self.open.is_some() {
                    self.close();
                }
                let node = Node { page: 0, overflow: 0, first: at, count: 1, key_len: size(key_len) };
                self.open = Some((node, HEADER + bytes));
            }
        }
    }

    /// Ends the open page; a level without entries has one empty page.
    fn close(&mut self) {
        let empty = Node { page: 0, overflow: 0, first: 0, count: 0, key_len: 0 };
        let (mut node, size) = self.open.take().unwrap_or((empty, HEADER));
        let pages = size.div_ceil(PAGE);
        node.page = self.next_page;
        node.overflow = u32::try_from(pages - 1).expect("a row is far smaller than 16 TiB");
        self.next_page += pages as u64;
        self.nodes.push(node);
    }
}

fn row_size(row: Row<'_>) -> usize {
    let (key, value) = row.sizes();
    ELEMENT + key + value
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a request is far smaller than 4 GiB")
}
